"""How every benchmark tells what it found: a table for people, one JSON line a figure, and both as files."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console


def say(text: str) -> None:
    """Prints a text as it is."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def publish(text: str, lines: Sequence[str], out: Path) -> None:
    """Writes a report as `report.md` and its JSON lines as `results.jsonl` into a folder, and prints both."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(text, "utf-8")
    (out / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    say(text)
    for line in lines:
        typer.echo(line)
