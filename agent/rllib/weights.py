"""Weights on their way from the learner to a runner: whole once, then what was written since.

The buffers of fixed size travel each time, without those that deciding never reads. Of each table only the rows travel
that were written since the revision that the runner has, so that a hand-out costs the same however many items and
users there are. A runner that took it reads the same numbers as the learner, bit for bit, wherever they lie.
"""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.policy import Policy
from agent.rllib.staleness import Knows
from agent.table import Part, Table

_UNREAD = re.compile(  # what only learning reads; a buffer that is not named here travels
    r"(expert|recent)\.(precision|eta|prior_precision|prior_eta)|recent\.covariance|network\.(first_\w+|second_\w+|steps)"
    r"|stack\.(precision|eta|prior|judged_with|judged_without|saved)|change\.\w+"
    r"|slates\.(examination\.\w+|redundancy\.(precision|eta))"
)


class Revision(NamedTuple):
    """A state of a policy: of which epoch, and after how many rows written to each of its tables."""

    epoch: int
    written: tuple[int, ...]

    @classmethod
    def of(cls, policy: Policy) -> "Revision":
        """The present one."""
        return cls(int(policy.epoch), tuple(table.revision for table in tables_of(policy).values()))

    @classmethod
    def lowest(cls, revisions: Iterable["Revision"]) -> "Revision":
        """The newest one that all of these come after; they are of one epoch."""
        epochs, written = zip(*revisions, strict=True)
        return cls(epochs[0], tuple(map(min, zip(*written, strict=True))))

    def follows(self, other: "Revision") -> bool:
        """Whether what was written up to `other` is in this one too."""
        return self.epoch == other.epoch and all(a >= b for a, b in zip(self.written, other.written, strict=True))


@dataclass(frozen=True, slots=True)
class Weights:
    """What brings a policy that decides from one revision of the learner's, or from nothing, to a later one.

    Attributes:
        base: the policy must be at this revision or at a later one; None where these weights are whole.
        revision: where they lead; None where that is not known, so that nothing can build on it.
        buffers: all that deciding reads apart from the tables.
        parts: of each table the rows written since the base, or all of them.
        knows: which feedback they hold.
    """

    base: Revision | None
    revision: Revision | None
    buffers: dict[str, NDArray[Any]]
    parts: dict[str, Part]
    knows: Knows = field(default_factory=Knows)

    @classmethod
    def of(cls, policy: Policy, base: Revision | None = None, knows: Knows | None = None) -> "Weights":
        """The policy's weights, since a base that it remembers or whole. They share memory with it until sent."""
        tables = tables_of(policy)
        since = dict.fromkeys(tables) if base is None else dict(zip(tables, base.written, strict=True))
        return cls(
            base,
            Revision.of(policy),
            {name: buffer.numpy() for name, buffer in _dense(policy).items() if not unread(name)},
            {name: table.part(since[name]) for name, table in tables.items()},
            knows or Knows(),
        )

    @classmethod
    def of_state(cls, policy: Policy, state: Mapping[str, Any]) -> "Weights":
        """The state of a module that holds such a policy as `policy`, as RLlib sends it: always whole."""
        state = {name.removeprefix("policy."): np.asarray(value) for name, value in state.items()}
        parts = {}
        for table in tables_of(policy):
            columns = {name.removeprefix(f"{table}."): state[name] for name in state if name.startswith(f"{table}.")}
            parts[table] = Part(len(columns["key"]), np.arange(len(columns["key"])), columns)
        return cls(None, None, {name: state[name] for name in _dense(policy) if name in state}, parts)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        parts = [array for part in self.parts.values() for array in (part.place_M, *part.columns.values())]
        return sum(array.nbytes for array in (*self.buffers.values(), *parts))

    def into(self, policy: Policy) -> None:
        """Brings them into a policy.

        Raises:
            LearnError: a table has not become what it is in the learner.
        """
        dense, tables = _dense(policy), tables_of(policy)
        for name, array in self.buffers.items():
            np.copyto(dense[name].numpy(), array)
        for name, part in self.parts.items():
            if self.base is None:
                tables[name].clear()
            tables[name].take(part)
        policy.moved()


class Inbox:
    """Weights that have arrived and do not decide yet: a whole at most, and what is to come on top of it.

    For two threads: one puts in, the other opens.

    Attributes:
        emptied: set once all that arrived is in use.
    """

    def __init__(self) -> None:
        self.emptied = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[Weights] = []
        self._base: Revision | None = None

    @property
    def base(self) -> Revision | None:
        """The revision on which the next weights may build; None where they must be whole."""
        with self._lock:
            return self._base

    def put(self, weights: Weights) -> None:
        """Keeps weights until `open`. Those that build on what is not here are refused: nothing changes."""
        with self._lock:
            if weights.base is None:
                self._waiting, self._base = [weights], weights.revision
            elif self._base is not None and self._base.follows(weights.base):
                self._waiting = [each for each in self._waiting if each.base is None] + [weights]
            if self._waiting:
                self.emptied.clear()

    def open(self, policy: Policy) -> Knows | None:
        """Brings what waits into a policy; returns which feedback it holds then, None where nothing waited."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if waiting:
                self._base = waiting[-1].revision
        for each in waiting:
            each.into(policy)
        with self._lock:
            if waiting and not self._waiting:
                self.emptied.set()
        return waiting[-1].knows if waiting else None


def tables_of(policy: nn.Module) -> dict[str, Table]:
    """The tables of a policy, by name."""
    return {name: module for name, module in policy.named_modules() if isinstance(module, Table)}


def unread(name: str) -> bool:
    """Whether deciding never reads the policy's buffer of a name."""
    return _UNREAD.fullmatch(name) is not None


def _dense(policy: Policy) -> dict[str, Tensor]:
    apart = tuple(f"{name}." for name in tables_of(policy))
    return {name: buffer for name, buffer in policy.named_buffers() if not name.startswith(apart)}
