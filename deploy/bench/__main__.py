"""`python -m deploy.bench`: our policy and its peers learn the same worlds, and a report compares them.

Each further question is a command of its own: `commands_speed.py`, `commands_cost.py`,
`commands_learning.py`, `commands_logs.py`.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.bench import commands_cost, commands_learning, commands_logs, commands_speed
from deploy.bench.printing import publish, say
from deploy.blas import one_thread_each
from deploy.errors import DeployError

if TYPE_CHECKING:
    from deploy.bench.results import Result

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_HELP = {"help_option_names": ["-h", "--help"]}
for command in (
    commands_cost.costs,
    commands_cost.loop,
    commands_cost.learners,
    commands_learning.delay,
    commands_learning.apprentice,
    commands_learning.explore,
    commands_learning.slates,
    commands_logs.estimators,
    commands_logs.headlines,
    commands_speed.speed,
):
    app.command(context_settings=_HELP)(command)


@app.callback(invoke_without_command=True, context_settings=_HELP)
def bench(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    *,
    worlds: Annotated[str | None, typer.Option("--worlds", metavar="A,B", help="Worlds; all where not given.")] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Seeds; the ten of the report where not given.")
    ] = None,
    players: Annotated[
        str | None, typer.Option("--players", metavar="A,B", help="Players; all where not given.")
    ] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=20, help="Rounds of a run; 20,000.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Three worlds, two seeds, 6,000 rounds.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Also play the worlds of texts once with an encoder that has met none.")
    ] = False,
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Public data.")] = Path("../shared/data"),
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Results.")] = Path("runs/bench-learning"),
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes of one thread each; one for each core.")
    ] = None,
    code: Annotated[
        str, typer.Option("--code", metavar="VERSION", help="Version of the code; results of another are not reused.")
    ] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Play all runs anew.")] = False,
) -> None:
    """Play the worlds, store each result, and write report.md, results.jsonl and curves.png.

    What an earlier call has stored is not played again. The options below are for this alone; each command has its own.
    """
    if context.invoked_subcommand is not None:
        return
    from deploy.bench.plan import Choice, plan  # noqa: PLC0415 - help is there at once
    from deploy.bench.players import known_players  # noqa: PLC0415
    from deploy.bench.running import Place, run_all  # noqa: PLC0415

    entries = known_players()
    tasks = plan(Choice(worlds, seeds, players, rounds, quick, cold), entries)
    results = run_all(tasks, Place(data, out, code), jobs=jobs or os.cpu_count() or 1, fresh=fresh, say=say)
    _write(results, next(name for name, entry in entries.items() if entry.ours), out)


def _write(results: "list[Result]", ours: str, out: Path) -> None:
    from deploy.bench.curves import draw_curves  # noqa: PLC0415
    from deploy.bench.report import json_lines, markdown  # noqa: PLC0415

    publish(markdown(results, ours), json_lines(results, ours), out)
    draw_curves([each for each in results if not each.cold], out / "curves.png")
    say(f"The report is {out / 'report.md'}, the picture {out / 'curves.png'}")


def main() -> None:
    """The command: what is wrong is one red line, not a traceback."""
    one_thread_each()  # numpy reads it when it loads, which is in the commands; the processes they start inherit it
    try:
        app()
    except DeployError as error:
        Console(stderr=True).print(f"[bold red]{escape(str(error))}[/bold red]", soft_wrap=True, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
