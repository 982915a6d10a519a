"""A unit of work on its way to the log, with what is to be noted once it has landed."""

from collections.abc import Sequence
from dataclasses import dataclass

from envs.decision import Decision
from stream.events import Outcome
from stream.log import UnitOfWork


@dataclass(frozen=True, slots=True)
class Sent:
    """One sent unit.

    Attributes:
        unit: holds the recommendations first, then the outcomes.
        decisions: that it publishes.
        owners: the partition of each of them.
        outcomes: that it publishes, with their partitions.
    """

    unit: UnitOfWork
    decisions: Sequence[Decision]
    owners: Sequence[int]
    outcomes: Sequence[tuple[int, Outcome]]
