"""`streambandit acls`: the rights that a principal needs on the broker, printed or given."""

import shlex
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from stream.kafka.rights import Right, Role, rights_of
from stream.kafka.settings import KafkaSettings


@dataclass(frozen=True)
class AclOptions:
    """What to print, for whom, and whether to do it.

    Attributes:
        role: what the principal does.
        principal: its name on the broker, such as `User:agent`; None takes that of the settings.
        apply: give the rights, connected as the settings say.
    """

    role: Role = "agent"
    principal: str | None = None
    apply: bool = False


def show_acls(settings: KafkaSettings, options: AclOptions, console: Console) -> None:
    """Prints the rights as a table and as commands; gives them where asked to.

    Raises:
        AccessError: the broker refused to give them.
        LogUnavailableError: the cluster did not answer.
    """
    rights = rights_of(options.role, settings)
    principal = options.principal or (settings.principal if settings.username else "User:agent")
    table = Table(title=f"What {principal} needs as {options.role}", title_justify="left")
    for heading in ("resource", "name", "right", "setting", "why"):
        table.add_column(heading, overflow="fold")
    for right in rights:
        name = right.name + ("…" if right.prefixed else "")
        table.add_row(right.resource, name, right.operation, right.setting, right.why)
    console.print(table)
    for command in commands(rights, principal, settings.bootstrap_servers):
        console.print(command, markup=False, highlight=False, soft_wrap=True)
    if options.apply:
        from stream.kafka.acls import give_rights  # noqa: PLC0415 - only where Kafka is used

        give_rights(settings, principal, rights)
        console.print(f"✓ {len(rights)} rights given to {principal}", style="green", markup=False, highlight=False)


def commands(rights: tuple[Right, ...], principal: str, bootstrap_servers: str) -> list[str]:
    """The same as lines for Kafka's own tool, whose `--command-config` holds an administrator's credentials.

    >>> right = Right("topic", "clicks", "Read", "kafka.topics.clicks", "inputs")
    >>> print(commands((right,), "User:agent", "k:9092")[0])
    kafka-acls.sh --bootstrap-server k:9092 ... --allow-principal User:agent --operation Read --topic clicks
    """
    start = f"kafka-acls.sh --bootstrap-server {bootstrap_servers} --command-config admin.properties --add"
    lines: dict[tuple[str, str, bool], list[str]] = {}
    for right in rights:
        lines.setdefault((right.resource, right.name, right.prefixed), []).append(right.operation)
    return [
        f"{start} --allow-principal {shlex.quote(principal)} "
        + " ".join(f"--operation {operation}" for operation in operations)
        + f" --{resource} {shlex.quote(name)}"
        + (" --resource-pattern-type prefixed" if prefixed else "")
        for (resource, name, prefixed), operations in lines.items()
    ]
