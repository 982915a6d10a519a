"""Metrics that README and docs name in their tables are metrics that the endpoint shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from deploy.metrics import Metrics

ROOT = Path(__file__).parents[3]
SHOWN = set(re.findall(r"^# TYPE streambandit_(\w+)", generate_latest(Metrics().registry).decode(), re.MULTILINE))


def cells(page: str, heading: str) -> list[list[str]]:
    """The cells of the table with a heading, row by row."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(heading)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def named(cell: str) -> list[str]:
    """Names in a cell; one that begins with `_` takes the place of the end of one before it."""
    found: list[str] = []
    for name in re.findall(r"`([^`]+)`", cell):
        plain = name.partition("{")[0]
        found.append(next(filter(SHOWN.__contains__, ended(found, plain)), plain) if plain.startswith("_") else plain)
    return found


def ended(names: list[str], ending: str) -> Iterator[str]:
    """What the ending could make of each name, the last one first."""
    for name in reversed(names):
        parts = name.split("_")
        yield from ("_".join(parts[:count]) + ending for count in range(len(parts), 0, -1))


README = [name for row in cells("README.md", "| what | metrics | alert |") for name in named(row[1])]
BOUNDS = cells("docs/guarantees.md", "| what | limit | at the limit | counter | gauge |")


@pytest.mark.parametrize("name", README)
def test_what_the_readme_names_is_shown(name):
    assert name in SHOWN


@pytest.mark.parametrize("name", [name for row in BOUNDS for name in named(row[3])])
def test_a_bound_has_a_counter(name):
    assert f"{name}_total" in SHOWN


@pytest.mark.parametrize("name", [name for row in BOUNDS for name in named(row[4])])
def test_a_bound_has_a_gauge(name):
    assert name in SHOWN


def test_the_tables_are_read():
    assert len(README) > 20
    assert len(BOUNDS) > 10
