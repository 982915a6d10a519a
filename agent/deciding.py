"""The deciding side of the loop: poll, decide, commit, hand over rows. One step is one micro-batch.

    loop = DecidingLoop(session, policy, run_seed=0)
    while not loop.ended:
        resolved = loop.step()      # what closed in this step, as training rows

It knows neither Ray nor threads: the runner gives it one, the deterministic schedule steps it by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.decide import decide
from agent.errors import EncoderError
from agent.explore import Belief
from agent.settings import ExploreSettings
from envs.core import Closed
from envs.errors import FeatureError
from envs.observation import Observation
from envs.rows import Rows
from envs.session import Session

POLL_MS = 50
_T = TypeVar("_T")


class Believer(Protocol):
    """A policy as the deciding side sees it."""

    @property
    def version(self) -> str:
        """`epoch.n` of the weights."""
        ...

    @property
    def explore(self) -> ExploreSettings:
        """How to explore."""
        ...

    def believe(self, observation: Observation) -> Belief:
        """What it believes of the candidates."""
        ...


class Span(NamedTuple):
    """A stretch of one partition of the outcomes: everything in it that is an outcome was handed over.

    Attributes:
        partition: which one.
        start: its first offset. What lies before was there before this stretch began.
        stop: the offset after its last. Transaction markers take offsets, so the next stretch may begin with one.
    """

    partition: int
    start: int
    stop: int


@dataclass(frozen=True)
class Resolved:
    """Closed outcomes as training rows, with the position of each row's outcome in the log, after its commit."""

    rows: Rows
    partition_R: NDArray[np.int64]
    offset_R: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice) -> "Resolved":
        return Resolved(self.rows[index], self.partition_R[index], self.offset_R[index])

    def where(self, keep_R: NDArray[np.bool_]) -> "Resolved":
        """The rows for which `keep_R` is true."""
        return Resolved(self.rows.where(keep_R), self.partition_R[keep_R], self.offset_R[keep_R])

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Partition and offset of each row's outcome."""
        return self.partition_R, self.offset_R

    @staticmethod
    def concatenate(parts: "list[Resolved]") -> "Resolved":
        """All of one or more parts, in their order."""
        return Resolved(
            Rows.concatenate([part.rows for part in parts]),
            np.concatenate([part.partition_R for part in parts]),
            np.concatenate([part.offset_R for part in parts]),
        )


@dataclass(frozen=True)
class Ending:
    """When a loop ends by itself, besides at the end of the world in its process.

    Attributes:
        max_decisions: after so many decisions.
        idle_s: after so many seconds without a record.
        close_open: whether open decisions are closed at an idle end, because the world has ended for good; else they
            stay open in the log, and the next run goes on with them.

    Raises:
        ValueError: a bound is not positive.
    """

    max_decisions: int | None = None
    idle_s: float | None = None
    close_open: bool = False

    def __post_init__(self) -> None:
        for name in ("max_decisions", "idle_s"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise ValueError(f"ending.{name} must be positive; got {bound}")


class DecidingLoop:
    """Decides for one session.

    Args:
        session: the open core.
        believer: the policy; may change its weights between steps, not during one.
        run_seed: every draw follows from it and the decision's id.
        ending: when to end.
    """

    def __init__(self, session: Session, believer: Believer, run_seed: int, ending: Ending | None = None) -> None:
        self._session = session
        self._believer = believer
        self._run_seed = run_seed
        self._ending = ending or Ending()
        self._decided = 0
        self._busy_s = session.timer()
        self._spans: list[Span] = []
        self._told: dict[int, int] = {}
        self.ended = False

    def step(self) -> Resolved | None:
        """One micro-batch; returns what closed, None where nothing did. At the world's end `ended` becomes true.

        Raises:
            StreamError: the batch was not committed; the next step starts again from what was.
            EncoderError: likewise, because texts could not be read. What was committed already is not returned; the
                spans leave it out.
        """
        return self._guarded(self._resolve)

    def advance(self) -> list[Closed]:
        """As `step`, for whoever makes rows of what closed on its own."""
        return self._guarded(list) or []

    def _guarded(self, use: Callable[[list[Closed]], _T]) -> _T | None:
        try:
            before, closed = self._step()
            used = use(closed) if closed else None
        except EncoderError:
            self._session.core.restart()
            raise
        self._note(before)
        return used

    def take_spans(self) -> tuple[Span, ...]:
        """The stretches of the topic of outcomes that the steps since the last call returned.

        An owned partition without new outcomes is told once, as an empty stretch at its end, so that whoever learns
        from them notices what an earlier owner did not hand over.
        """
        taken, self._spans = tuple(self._spans), []
        return taken

    def _step(self) -> tuple[dict[int, int], list[Closed]]:
        core, timer = self._session.core, self._session.timer
        impressions = core.poll(self._limit(), timeout_ms=POLL_MS)
        before = core.outcome_frontier()
        started_s = timer()
        decisions = []
        if impressions:
            belief = self._believer.believe(core.observe(impressions))
            decisions = decide(
                impressions,
                belief,
                self._believer.explore,
                run_seed=self._run_seed,
                version=self._believer.version,
            )
        world_ended = core.ended and not impressions
        idle_ended = not world_ended and self._idle(started_s)
        closed = core.publish(decisions, final=world_ended or (idle_ended and self._ending.close_open))
        if impressions:
            self._decided += len(impressions)
            latency_ms = 1_000.0 * (timer() - started_s)
            core.parts.meter.observe("decision_latency_ms", [latency_ms] * len(impressions))
        self.ended = world_ended or idle_ended or self._decided == self._ending.max_decisions
        return before, closed

    def _note(self, before: dict[int, int]) -> None:
        """Notes the stretches of one step, by where the outcomes of each partition ended before it and do now."""
        for partition, stop in self._session.core.outcome_frontier().items():
            start = before.get(partition, stop)
            if self._told.get(partition) != stop:
                self._spans.append(Span(partition, start, stop))
        self._told = self._session.core.outcome_frontier()

    def _limit(self) -> int:
        most = self._session.core.settings.max_batch
        return most if self._ending.max_decisions is None else min(most, self._ending.max_decisions - self._decided)

    def _idle(self, now_s: float) -> bool:
        if self._session.core.received:
            self._busy_s = now_s
        return self._ending.idle_s is not None and now_s - self._busy_s >= self._ending.idle_s

    def _resolve(self, closed: list[Closed]) -> Resolved:
        try:
            return self._rows(closed)
        except FeatureError:  # decided under settings with another layout of features
            fitting = [each for each in closed if self._fits(each)]
            self._session.core.parts.meter.count("features_misfit", len(closed) - len(fitting))
            return self._rows(fitting)

    def _fits(self, closed: Closed) -> bool:
        try:
            self._rows([closed])
        except FeatureError:
            return False
        return True

    def _rows(self, closed: list[Closed]) -> Resolved:
        slots = [len(each.outcome.rewards) for each in closed]
        return Resolved(
            self._session.core.parts.featurizer.rows([each.outcome for each in closed]),
            np.repeat(np.array([each.position.partition for each in closed], dtype=np.int64), slots),
            np.repeat(np.array([each.position.offset for each in closed], dtype=np.int64), slots),
        )
