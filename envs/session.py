"""What one runner works on: a core over its share of a log, and what the world in this process says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from envs.core import Core
from envs.features import Featurizer
from envs.parts import Parts
from envs.protocols import UserStores
from stream.identity import Pseudonyms
from stream.log import EventLog
from stream.meter import Meter


@dataclass(frozen=True)
class Share:
    """Which runner opens a session, and what it brings along.

    Attributes:
        index: of the runner, from 0.
        count: of all runners.
        featurizer: with the runner's encoder.
        users: the runner's stores of users.
        meter: the runner's.
        pseudonyms: by which keys users go inside.
    """

    index: int
    count: int
    featurizer: Featurizer
    users: UserStores
    meter: Meter
    pseudonyms: Pseudonyms = field(default_factory=lambda: Pseudonyms(None))

    def parts(self, log: EventLog, clock: Callable[[], int], supply: Callable[[int], int] | None = None) -> Parts:
        """The parts of a core over a log; see `Parts` for clock and supply."""
        return Parts(
            log=log,
            featurizer=self.featurizer,
            users=self.users,
            meter=self.meter,
            clock=clock,
            supply=supply,
            pseudonyms=self.pseudonyms,
        )


@dataclass(frozen=True)
class Session:
    """An open core, and how to close it.

    Attributes:
        core: the core.
        close: releases the log.
        timer: seconds from an arbitrary start, for latencies.
        world: what the world in this process knows of itself, JSON-able; empty where it is elsewhere.
    """

    core: Core
    close: Callable[[], None]
    timer: Callable[[], float]
    world: Callable[[], dict[str, Any]] = field(default=dict)


OpenSession = Callable[[Share], Session]
