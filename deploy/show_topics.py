"""`streambandit topics`: what is there, what is wrong with it."""

from rich.console import Console
from rich.table import Table

from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics, describe_topics


def show_topics(settings: KafkaSettings, console: Console, *, create: bool) -> bool:
    """Prints the five topics, after creating the missing ones where asked to; returns whether the agent can run.

    Raises:
        LogUnavailableError: the cluster did not answer.
    """
    report = create_topics(settings) if create else describe_topics(settings)
    table = Table(title=f"Topics on {settings.bootstrap_servers}", title_justify="left")
    for heading in ("role", "name", "partitions", "timestamps"):
        table.add_column(heading)
    for state in report.topics:
        count = str(state.partitions) if state.partitions else "[red]missing[/red]"
        table.add_row(state.topic, state.name, count, state.timestamps or "–")
    console.print(table)
    for problem in report.problems:
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
    for warning in report.warnings:
        console.print(f"! {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    return not report.problems
