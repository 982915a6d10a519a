"""The deciding side of the loop: poll, decide, commit, hand over rows. One step is one micro-batch.

    loop = DecidingLoop(session, policy, run_seed=0)
    while not loop.ended:
        resolved = loop.step()      # what closed in this step, as training rows

A step waits for its commit, or (`overlap`) for the one before, so that the log works on one batch while the next is
decided. What closed is told once it is committed either way. It knows neither Ray nor threads: the runner gives it
one, the deterministic schedule steps it by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from agent.apprentice import Believing, judge
from agent.click_delays import ClickDelay, click_delays
from agent.decide import decide
from agent.errors import EncoderError
from agent.monitor import count_weights
from agent.open_book import OpenBook
from agent.resolved import Placed, Resolved, Span, resolve
from envs.core import Closed
from envs.decision import Decision
from envs.session import Session
from stream.errors import StreamError

POLL_MS = 50
_COUNT_AT_ONCE = 32  # decisions whose weights are counted together: a call costs as much for one
_T = TypeVar("_T")


class Believer(Believing, Protocol):
    """A policy as the deciding side sees it."""

    @property
    def version(self) -> str:
        """`epoch.n` of the weights."""
        ...


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
        book: is told each decision, so that it knows what is open; None where nobody reads that.
        overlap: whether a micro-batch is decided while the one before is being committed.
    """

    def __init__(
        self,
        session: Session,
        believer: Believer,
        run_seed: int,
        ending: Ending | None = None,
        book: OpenBook | None = None,
        *,
        overlap: bool = False,
    ) -> None:
        self._session = session
        self._believer = believer
        self._run_seed = run_seed
        self._ending = ending or Ending()
        self._book = book
        self._overlap = overlap
        self._decided = 0
        self._took_s = 0.0  # the batch that was sent last, until then
        self._uncounted: list[Decision] = []
        self._busy_s = session.timer()
        self._spans: list[Span] = []
        self._clicks: list[ClickDelay] = []
        self._told: dict[int, int] = {}
        self.ended = False

    def step(self) -> Resolved | None:
        """One micro-batch; returns what closed, None where nothing did. At the world's end `ended` becomes true.

        Raises:
            StreamError: a batch was not committed; the next step starts again from what was.
            EncoderError: likewise, because texts could not be read. What was committed already is not returned; the
                spans leave it out.
        """
        return self._guarded(self._step, self._resolve)

    def advance(self) -> list[Closed]:
        """As `step`, for whoever makes rows of what closed on its own."""
        return self._guarded(self._step, list) or []

    def land(self) -> Resolved | None:
        """What closed with the batch that is on its way, for whoever makes no further step; raises as `step` does."""
        return self._guarded(self._land, self._resolve)

    def _guarded(
        self, act: Callable[[], tuple[dict[int, int], list[Closed]]], use: Callable[[list[Closed]], _T]
    ) -> _T | None:
        try:
            before, closed = act()
            parts = self._session.core.parts
            judge([each.outcome for each in closed], self._believer, parts.featurizer, parts.meter)
            used = use(closed) if closed else None
        except (EncoderError, StreamError) as error:
            if self._book is not None:
                self._book.forget()  # it may know of decisions that never came to be
            if isinstance(error, EncoderError):
                self._session.core.restart()
            raise
        self._note(before)
        return used

    @property
    def joined(self) -> int:
        """Clicks that the last step joined to open decisions, committed or on its way."""
        return self._session.core.joined

    def take_spans(self) -> tuple[Span, ...]:
        """The stretches of the topic of outcomes that the steps since the last call returned.

        An owned partition without new outcomes is told once, as an empty stretch at its end, so that whoever learns
        from them notices what an earlier owner did not hand over.
        """
        taken, self._spans = tuple(self._spans), []
        return taken

    def take_clicks(self) -> tuple[ClickDelay, ...]:
        """How long the clicks took on what the steps since the last call returned."""
        taken, self._clicks = tuple(self._clicks), []
        return taken

    def _step(self) -> tuple[dict[int, int], list[Closed]]:
        core, timer = self._session.core, self._session.timer
        impressions = core.poll(self._limit(), timeout_ms=POLL_MS)
        before = core.outcome_frontier()
        started_s = timer()
        decisions, observation = [], None
        if impressions:
            observation = core.observe(impressions)
            belief = self._believer.believe(observation)
            decisions = decide(
                impressions,
                belief,
                self._believer.explore,
                run_seed=self._run_seed,
                version=self._believer.version,
            )
        else:
            self._count()
        world_ended = core.ended and not impressions
        idle_ended = not world_ended and self._idle(started_s)
        taken = self._taken() + len(impressions)
        final = world_ended or (idle_ended and self._ending.close_open)
        closed = self._landed(lambda: core.send(decisions, final=final))
        self._took_s = timer() - started_s
        if observation is not None and self._book is not None:
            self._book.note(impressions, observation, decisions)
        ended = world_ended or idle_ended or taken == self._ending.max_decisions
        if ended or not self._overlap:
            closed += self._land()[1]
        self.ended = ended
        return before, closed

    def _land(self) -> tuple[dict[int, int], list[Closed]]:
        core = self._session.core
        before = core.outcome_frontier()
        closed = self._landed(core.land)
        self._count()
        return before, closed

    def _landed(self, act: Callable[[], list[Closed]]) -> list[Closed]:
        """Lets the batch that is on its way land, by a call that waits for it, and notes that it is committed."""
        core = self._session.core
        batch = core.sent
        closed = act()
        if batch is not None and batch.decisions:
            self._decided += len(batch.decisions)
            latency_ms = 1_000.0 * (self._took_s + core.took_s)
            core.parts.meter.observe("decision_latency_ms", [latency_ms] * len(batch.decisions))
            self._uncounted += batch.decisions
            if len(self._uncounted) >= _COUNT_AT_ONCE:
                self._count()
        return closed

    def _count(self) -> None:
        count_weights(self._uncounted, self._session.core.parts.meter)
        self._uncounted = []

    def _taken(self) -> int:
        """Decisions that are committed or on their way."""
        on_its_way = self._session.core.sent
        return self._decided + (len(on_its_way.decisions) if on_its_way is not None else 0)

    def _note(self, before: dict[int, int]) -> None:
        """Notes the stretches of one step, by where the outcomes of each partition ended before it and do now."""
        for partition, stop in self._session.core.outcome_frontier().items():
            start = before.get(partition, stop)
            if self._told.get(partition) != stop:
                self._spans.append(Span(partition, start, stop))
        self._told = self._session.core.outcome_frontier()

    def _limit(self) -> int:
        most = self._session.core.settings.max_batch
        return most if self._ending.max_decisions is None else min(most, self._ending.max_decisions - self._taken())

    def _idle(self, now_s: float) -> bool:
        if self._session.core.received:
            self._busy_s = now_s
        return self._ending.idle_s is not None and now_s - self._busy_s >= self._ending.idle_s

    def _resolve(self, closed: list[Closed]) -> Resolved:
        placed = [Placed(each.outcome, each.position.partition, each.position.offset) for each in closed]
        parts = self._session.core.parts
        resolved = resolve(parts.featurizer, placed, parts.meter)
        self._clicks += click_delays(closed)
        return resolved
