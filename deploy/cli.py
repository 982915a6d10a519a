"""The command `streambandit`. What a command needs is imported when it runs, so that help is there at once."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from agent.errors import AgentError
from deploy import cli_evaluation, cli_history
from deploy.blas import one_thread_each
from deploy.broker.errors import BrokerError
from deploy.cli_options import ConfigFile, Overrides, Seed
from deploy.errors import DeployError
from envs.errors import EnvsError
from stream.errors import StreamError

if TYPE_CHECKING:
    from deploy.settings import Settings

_FAILURES = (DeployError, BrokerError, StreamError, EnvsError, AgentError)
_HELP = """A streaming contextual-bandit agent for recommendations.

Impressions and clicks come in, recommendations go out, and the policy learns on the way. Start with
[bold]streambandit demo[/bold].
"""

app = typer.Typer(
    name="streambandit",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class World(StrEnum):
    """The worlds that can be simulated."""

    READERS = "readers"
    UPWORTHY = "upworthy"


class Log(StrEnum):
    """The logs that a demonstration can run on."""

    MEMORY = "memory"
    KAFKA = "kafka"


class Role(StrEnum):
    """The roles that need rights on the broker."""

    AGENT = "agent"
    WORLD = "world"
    TOPICS = "topics"


WorldOption = Annotated[World, typer.Option("--world", help="Simulated readers, or real headline tests.")]
Start = Annotated[
    Path | None,
    typer.Option("--start", metavar="FOLDER", help="Begin from what was learned there; `checkpoint.start`."),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="The Upworthy archive; the setting `upworthy.path`.")
]


@app.command()
def demo(  # noqa: PLR0913 - one parameter for each option
    *,
    world: WorldOption = World.READERS,
    data: Data = None,
    log: Annotated[Log, typer.Option("--log", help="In memory, or over a real broker started for it.")] = Log.MEMORY,
    decisions: Annotated[
        int | None, typer.Option("--decisions", metavar="N", min=1, help="Decisions after which it ends.")
    ] = None,
    start: Start = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Run the whole loop on simulated readers, watch it learn, and read the report."""
    settings = _settings(config, _starting(overrides, start), seed, data)
    from deploy.demo import DemoOptions, run_demo  # noqa: PLC0415

    run_demo(settings, DemoOptions(world=world.value, log=log.value, decisions=decisions))


@app.command()
def run(
    *,
    max_decisions: Annotated[
        int | None, typer.Option("--max-decisions", metavar="N", min=1, help="End after so many decisions.")
    ] = None,
    idle_exit_s: Annotated[
        float | None, typer.Option("--idle-exit-s", metavar="S", min=0.1, help="End when nothing came for so long.")
    ] = None,
    start: Start = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Run the agent alone against Kafka, until it is interrupted."""
    settings = _settings(config, _starting(overrides, start), seed)
    from deploy.run import RunOptions, run_agent  # noqa: PLC0415

    folder = run_agent(settings, RunOptions(max_decisions=max_decisions, idle_exit_s=idle_exit_s))
    _say(f"The report is {folder / 'report.html'}")


@app.command()
def simulate(  # noqa: PLR0913 - one parameter for each option
    *,
    world: WorldOption = World.READERS,
    data: Data = None,
    impressions: Annotated[
        int | None, typer.Option("--impressions", metavar="N", min=1, help="How many; the setting `world.impressions`.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", min=0.01, help="Impressions per second of the clock, at most."),
    ] = None,
    in_flight: Annotated[
        int, typer.Option("--in-flight", metavar="N", min=1, help="Impressions that wait for a decision, at most.")
    ] = 1_000,
    patience_s: Annotated[
        float, typer.Option("--patience-s", metavar="S", min=0.1, help="Give up when nothing is decided for so long.")
    ] = 120.0,
    stats: Annotated[
        Path | None,
        typer.Option("--stats", metavar="FILE", help="JSON of what the world knows, rewritten each second."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write a recorded log, decided by a uniform choice; needs no Kafka."
        ),
    ] = None,
    logged: Annotated[
        bool, typer.Option("--logged", help="With --out: impressions carry that choice, to be learned from.")
    ] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
    seed: Seed = None,
) -> None:
    """Drive Kafka with simulated readers as a load generator, or write a recorded log."""
    settings = _settings(config, overrides, seed, data)
    from deploy.simulate import SimulateOptions, simulate  # noqa: PLC0415

    options = SimulateOptions(
        world=world.value,
        impressions=impressions,
        rate_per_s=rate,
        in_flight=in_flight,
        patience_s=patience_s,
        stats=stats,
        out=out,
        logged=logged,
    )
    _say(", ".join(f"{name} {count:,}" for name, count in simulate(settings, options).counts().items()))


@app.command()
def topics(
    *,
    create: Annotated[bool, typer.Option("--create", help="Create those that are missing.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Show the five topics on the broker, and create those that are missing."""
    settings = _settings(config, overrides)
    from deploy.show_topics import show_topics  # noqa: PLC0415

    raise typer.Exit(0 if show_topics(settings.kafka, Console(), create=create) else 1)


@app.command()
def acls(
    *,
    role: Annotated[Role, typer.Option("--role", help="What the principal does.")] = Role.AGENT,
    principal: Annotated[
        str | None, typer.Option("--principal", metavar="NAME", help="Such as User:agent; else that of the settings.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Give them; the settings connect an administrator.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Print the rights that a role needs on the broker, and give them with --apply."""
    settings = _settings(config, overrides)
    from deploy.acls import AclOptions, show_acls  # noqa: PLC0415

    show_acls(settings.kafka, AclOptions(role.value, principal, apply), Console())


@app.command()
def doctor(
    *,
    ray: Annotated[bool, typer.Option("--ray", help="Start a local Ray as well; takes some seconds.")] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Only what a run in memory needs: no broker.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Check what the agent needs (model, Ray, broker, topics), and say what to do."""
    settings = _settings(config, overrides)
    from deploy.doctor import examine  # noqa: PLC0415

    raise typer.Exit(0 if examine(settings, Console(), start_ray=ray, broker=not memory) else 1)


@app.command("settings")
def show_settings(*, config: ConfigFile = None, overrides: Overrides = None, seed: Seed = None) -> None:
    """Print every setting with what it means, as a TOML file to start from."""
    settings = _settings(config, overrides, seed)
    from deploy.settings_example import example_toml  # noqa: PLC0415

    typer.echo(example_toml(settings), nl=False)


@app.command()
def asyncapi() -> None:
    """Print the AsyncAPI document of the topics and events, as JSON."""
    from stream.asyncapi import asyncapi_json  # noqa: PLC0415

    typer.echo(asyncapi_json(), nl=False)


app.command()(cli_evaluation.evaluate)
app.command()(cli_evaluation.tune)
app.command()(cli_history.learn)
app.command("import")(cli_history.import_log)


def main() -> None:
    """The console command: what is wrong is one red line, not a traceback."""
    one_thread_each()
    try:
        app()
    except _FAILURES as error:
        Console(stderr=True).print(f"[bold red]{escape(str(error))}[/bold red]", soft_wrap=True, highlight=False)
        sys.exit(2)


def _settings(
    config: Path | None, overrides: list[str] | None, seed: int | None = None, data: Path | None = None
) -> "Settings":
    from deploy.settings_load import load_settings  # noqa: PLC0415

    named: dict[str, Any] = {"seed": seed, "upworthy.path": data}
    return load_settings(config, [*(overrides or ()), *(f"{k}={v}" for k, v in named.items() if v is not None)])


def _starting(overrides: list[str] | None, start: Path | None) -> list[str]:
    return [*(overrides or ()), *(() if start is None else (f"checkpoint.start={start}",))]


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
