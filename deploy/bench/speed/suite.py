"""All benchmarks of speed by name: runs them, tells people and machines, and keeps the figures by commit."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.bench.errors import BenchError
from deploy.bench.speed.figure import Figure, short
from deploy.bench.speed.history import change, commit_of, earlier, keep

Measure = Callable[[bool, Callable[[str], None]], list[Figure]]
"""Measures one thing, in seconds where the first argument is true; the second is told how it goes on."""

MODULES = {
    "transport": "deploy.bench.speed.transport",
    "latency": "deploy.bench.speed.latency",
    "staleness": "deploy.bench.speed.staleness",
    "runners": "deploy.bench.speed.runners",
    "start": "deploy.bench.speed.start",
    "encoder": "deploy.bench.speed.encoder",
    "anatomy": "deploy.bench.speed.anatomy",
    "deciding": "deploy.bench.speed.deciding",
    "learner_path": "deploy.bench.speed.learner_path",
    "scaling": "deploy.bench.speed.scaling",
}
"""The module of each benchmark, whose `measure` is a `Measure`; loaded when it is asked for."""

NOT_QUICK = ("runners", "anatomy")
"""What a quick run leaves out unless it is named: each would take a third of its three minutes."""


def measure_all(names: Sequence[str], *, quick: bool, history: Path, say: Callable[[str], None]) -> list[Figure]:
    """Runs benchmarks one after another; what one found is kept before the next begins.

    Args:
        names: which; all where empty, in a quick run without `NOT_QUICK`.
        quick: in seconds each, with wider spread.
        history: file of figures by commit, which grows.
        say: is told how it goes on.

    Raises:
        BenchError: there is no such benchmark, or the file holds something else.
    """
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        raise BenchError(f"A benchmark of speed must be one of {', '.join(MODULES)}; got {unknown[0]!r}")
    before, commit = earlier(history, quick=quick), commit_of(Path.cwd())
    found: list[Figure] = []
    for name in names or [each for each in MODULES if not (quick and each in NOT_QUICK)]:
        say(f"## {name}")
        measure: Measure = importlib.import_module(MODULES[name]).measure
        figures = measure(quick, say)
        keep(figures, history, commit, quick=quick)
        Console().print(table(figures, before))
        found += figures
    return found


def table(figures: Sequence[Figure], before: dict[str, dict[str, Any]]) -> Table:
    """Figures for people, with what became of each since the last commit that measured it."""
    shown = Table("figure", "ours", "theirs", "unit", "ratio", "spread", "goal", "", "since")
    for each in figures:
        goal = "" if each.goal is None else str(each.goal)
        met = {None: "", True: "met", False: "[bold]not met[/bold]"}[each.met]
        spread = "" if each.spread is None else f"{short(each.spread):g}"
        sides = (f"{short(each.ours):,g}", f"{short(each.theirs):,g}")
        shown.add_row(each.name, *sides, each.unit, f"{short(each.ratio):g}", spread, goal, met, change(each, before))
    return shown
