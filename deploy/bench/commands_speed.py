"""`python -m deploy.bench speed`: how close to the limits of its parts the agent comes."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.bench.printing import say


def speed(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All where not given.")] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything, in less than three minutes.")] = False,
    history: Annotated[
        Path, typer.Option("--history", metavar="FILE", help="Where the figures of each commit are kept.")
    ] = Path("runs/bench/figures.jsonl"),
) -> None:
    """Measure the agent beside what it stands on: transport, peers, bare loops. One JSON line a figure, and a table."""
    from deploy.bench.speed.suite import measure_all  # noqa: PLC0415 - help is there at once

    for each in measure_all(names or (), quick=quick, history=history, say=say):
        typer.echo(each.json_line())
