"""What a runner hands to the driver at each call."""

from dataclasses import dataclass
from typing import Any

from agent.deciding import Resolved
from stream.meter import Tally


@dataclass(frozen=True)
class RunnerReport:
    """A runner since the last call.

    Attributes:
        index: of the runner.
        resolved: what closed, committed and in order; None where nothing did.
        tally: everything counted.
        version: `epoch.n` of the weights that decide now.
        world: what the world in the runner's process says of itself.
        ended: no more decisions will come from it.
        failure: why it ended, where that was no end in order.
    """

    index: int
    resolved: Resolved | None
    tally: Tally
    version: str
    world: dict[str, Any]
    ended: bool
    failure: str | None
