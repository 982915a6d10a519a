"""What a runner hands to the driver at each call."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.rllib.handover import Handover


@dataclass(frozen=True)
class RunnerReport:
    """A runner since the last call.

    Attributes:
        index: of the runner.
        handover: rows that closed, committed and in order, with the spans they cover; and everything counted.
        version: `epoch.n` of the weights that decide now.
        ended: no more decisions will come from it, and nothing of it waits.
        failure: why it ended, where that was no end in order.
        steps: when its process reached each step of its start, in milliseconds since the epoch; told once, with the
            first decision.
    """

    index: int
    handover: Handover
    version: str
    ended: bool
    failure: str | None
    steps: Mapping[str, int] = field(default_factory=dict)
