"""A world drives the world's side of a log: it emits impressions in event time, sees what was shown, and clicks.

The loop of a world, in full (one thread, with a `MemoryLog`):

    while world.advance(32):        # reads recommendations, emits due clicks and up to 32 impressions
        ...                         # the agent polls, decides, commits
    world.finish()                  # the clicks still outstanding

Against a broker, `undecided` bounds what is in flight (and `rate_per_s` is then the real rate, so that event time keeps
up with the clock):

    while not world.ended:
        world.advance(min(100, in_flight - world.undecided))     # 0 reads and clicks only

What the readers are like is the affair of a `Scene`. Two policies on the same seed are paired: the uniform numbers that
decide a click and its delay follow from (seed, impression index, item) alone, through a hash.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from math import exp
from statistics import NormalDist
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.tally import WorldTally
from stream.events import Click, Impression, Recommendation
from stream.log import WorldLog
from stream.settings import Section

__all__ = ["Arrival", "Draws", "Scene", "View", "World", "WorldSettings", "WorldTally", "draws_of"]

_DELAY_SIGMA = 1.0  # of the log-normal delay: about one click in a hundred comes after six means
_NORMAL = NormalDist()


class WorldSettings(Section):
    """How many impressions a world emits, when, and what happens to clicks on their way."""

    impressions: int = Field(default=10_000, ge=1, description="impressions after which the world ends")
    rate_per_s: float = Field(default=20.0, gt=0, description="impressions per second of event time, Poisson")
    start_ms: int = Field(default=1_700_000_000_000, ge=1, description="event time at the start")
    click_delay_ms: float = Field(default=5_000.0, ge=0, description="mean time from impression to click, log-normal")
    late_after_ms: int = Field(default=30_000, ge=1, description="a click later than this is counted as late")
    lost_click_share: float = Field(default=0.0, ge=0, le=1, description="clicks that happen and are never emitted")
    duplicate_click_share: float = Field(default=0.002, ge=0, le=1, description="clicks that are emitted twice")
    max_undecided: int = Field(default=100_000, ge=1, description="impressions that wait for their recommendation")
    name: str = Field(default="w", min_length=1, description="prefix of impression ids; one per world on a shared log")


@dataclass(frozen=True, slots=True)
class Arrival:
    """The outer side of an impression, which the world settles: its index, its id and its event time in ms."""

    index: int
    impression_id: str
    ts_ms: int


class View(NamedTuple):
    """An impression with its hidden truth: the click probability [K] of every candidate, in their order."""

    impression: Impression
    rates_K: NDArray[np.float64]


class Scene(Protocol):
    """What the specific world is: who comes, what could be shown, and what is clicked."""

    def emit(self, arrival: Arrival) -> View | None:
        """The next impression; None when the scene has ended."""
        ...

    def clicked(self, view: View, action: int, uniform: float) -> bool:
        """Whether the shown candidate `action` is clicked; called once per shown item, with its uniform number."""
        ...


class Draws(NamedTuple):
    """Four uniform numbers in (0, 1)."""

    click: float
    delay: float
    lost: float
    duplicate: float


def draws_of(seed: int, index: int, item_id: str) -> Draws:
    """The common random numbers of one item in one impression, whatever any policy showed before.

    >>> draws_of(0, 7, "a") == draws_of(0, 7, "a") != draws_of(0, 7, "b")
    True
    """
    digest = blake2b(f"{seed}/{index}/{item_id}".encode(), digest_size=32).digest()
    whole = (int.from_bytes(digest[start : start + 8], "big") >> 12 for start in (0, 8, 16, 24))
    return Draws(*((number + 0.5) / 2**52 for number in whole))


class World:
    """Emits impressions and clicks in event time. Bounded: it keeps what is undecided and the clicks to come.

    Args:
        scene: who comes and what is clicked.
        log: the world's side of a log.
        settings: rates, delays and bounds.
        seed: of arrival times, clicks and delays.
    """

    def __init__(self, scene: Scene, log: WorldLog, settings: WorldSettings, seed: int) -> None:
        self.tally = WorldTally()
        self.ended = False
        self._scene, self._log, self._settings, self._seed = scene, log, settings, seed
        self._gaps = np.random.default_rng([seed, 0])
        self._elapsed_ms = 0.0
        self._now_ms = settings.start_ms
        self._pending: View | None = None  # drawn, but refused by the log
        self._hidden: OrderedDict[str, tuple[int, View]] = OrderedDict()
        self._due: list[tuple[int, int, Click, bool]] = []
        self._order = count()

    @property
    def undecided(self) -> int:
        """Impressions emitted whose recommendation was not seen yet."""
        return len(self._hidden)

    def advance(self, impressions: int) -> int:
        """Reads what was recommended, then emits up to `impressions` with the clicks due before each.

        Returns:
            How many impressions were emitted; for `impressions > 0`, 0 says that the scene has ended.

        Raises:
            LogFullError: the log refuses; nothing is lost, and the next call goes on from there.
        """
        self._see(timeout_ms=0)
        self._emit_clicks(self._now_ms)
        for emitted in range(impressions):
            self._pending = self._pending or self._next_view()
            if self._pending is None:
                return emitted
            self._emit_impression(self._pending)
            self._pending = None
        return max(impressions, 0)

    def finish(self, timeout_ms: int = 0) -> None:
        """Reads the remaining recommendations, each poll up to `timeout_ms`, and emits every outstanding click."""
        self._see(timeout_ms)
        self._emit_clicks(None)
        self._log.flush()

    def _next_view(self) -> View | None:
        index = self.tally.impressions
        view = None
        if not self.ended and index < self._settings.impressions:
            self._elapsed_ms += self._gaps.exponential(1_000 / self._settings.rate_per_s)
            ts_ms = self._settings.start_ms + int(self._elapsed_ms)
            view = self._scene.emit(Arrival(index, f"{self._settings.name}{index}", ts_ms))
        self.ended = view is None
        return view

    def _emit_impression(self, view: View) -> None:
        impression = view.impression
        self._emit_clicks(impression.ts_ms)
        self._log.append(impression)
        self._now_ms = impression.ts_ms
        self._hidden[impression.impression_id] = self.tally.impressions, view
        self.tally.impressions += 1
        self.ended = self.tally.impressions >= self._settings.impressions
        while len(self._hidden) > self._settings.max_undecided:
            self._hidden.popitem(last=False)
            self.tally.forgotten += 1

    def _see(self, timeout_ms: int) -> None:
        while batch := self._log.recommendations(1_000, timeout_ms):
            for recommendation in batch:
                index, view = self._hidden.pop(recommendation.impression_id, (-1, None))
                if view is None:
                    self.tally.unmatched += 1
                else:
                    self._decide(index, view, recommendation)

    def _decide(self, index: int, view: View, recommendation: Recommendation) -> None:
        rates_K, slots = view.rates_K, view.impression.slots
        places = {candidate.item_id: place for place, candidate in enumerate(view.impression.candidates)}
        shown = 0.0
        for slot in recommendation.slate:
            action = places.get(slot.item_id)
            if action is None:
                self.tally.foreign += 1
                continue
            shown += float(rates_K[action])
            draws = draws_of(self._seed, index, slot.item_id)
            if self._scene.clicked(view, action, draws.click):
                self._schedule(view.impression, slot.item_id, draws)
        best = rates_K.max() if slots == 1 else np.sort(rates_K)[-slots:].sum()
        self.tally.add(index, shown, float(rates_K.mean()) * slots, float(best))

    def _schedule(self, impression: Impression, item_id: str, draws: Draws) -> None:
        settings = self._settings
        if draws.lost < settings.lost_click_share:
            self.tally.lost += 1
            return
        shape = exp(_DELAY_SIGMA * _NORMAL.inv_cdf(draws.delay) - _DELAY_SIGMA**2 / 2)
        ts_ms = impression.ts_ms + int(settings.click_delay_ms * shape)
        click = Click(
            impression_id=impression.impression_id,
            user_id=impression.user_id,
            item_id=item_id,
            ts_ms=ts_ms,
            click_id=f"{impression.impression_id}/{item_id}",
        )
        self.tally.late += ts_ms - impression.ts_ms > settings.late_after_ms
        self.tally.overdue += ts_ms < self._now_ms
        heapq.heappush(self._due, (ts_ms, next(self._order), click, False))
        if draws.duplicate < settings.duplicate_click_share:
            again_ms = ts_ms + int(settings.click_delay_ms * draws.duplicate / settings.duplicate_click_share)
            heapq.heappush(self._due, (again_ms, next(self._order), click, True))

    def _emit_clicks(self, until_ms: int | None) -> None:
        while self._due and (until_ms is None or self._due[0][0] <= until_ms):
            _, _, click, repeated = self._due[0]
            self._log.append(click)
            heapq.heappop(self._due)
            self.tally.duplicates += repeated
            self.tally.clicks += not repeated
