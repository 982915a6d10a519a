"""The Upworthy Research Archive as a world: real headline tests, replayed without a model of the reader.

Each test is a slate of its headlines. Each arm is a queue of its recorded clicks and non-clicks, in an order that the
seed fixes; showing the arm draws the next one. So the k-th showing of an arm has the same outcome under every policy,
and no draw is rejected. Readers are synthesised, a new one for each impression: the archive knows none.

Archive: Matias, Munger, Le Quere & Ebersole (2021), doi 10.1038/s41597-021-00934-7.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.upworthy_file import Arm, HeadlineTest, read_tests
from envs.world import Arrival, View, draws_of
from stream.events import Candidate, Context, Impression
from stream.settings import Section


class UpworthySettings(Section):
    """Which tests are replayed, and how much of each."""

    path: Path = Field(description="the archive's file, or the folder with its packages.csv.gz")
    impressions_per_test: int = Field(default=500, ge=1, description="impressions after which a test leaves")
    max_tests: int | None = Field(default=None, ge=1, description="tests replayed, the oldest first; all without")
    concurrent_tests: int = Field(default=8, ge=1, description="tests that run at the same time")
    lede: bool = Field(default=True, description="whether the lede that a test's arms share is the context")


@dataclass(slots=True)
class _Queue:
    """What is left of an arm's recorded outcomes."""

    arm: Arm
    test: "_Running"
    impressions: int
    clicks: int
    shown: int = 0

    def draw(self, seed: int) -> bool:
        uniform = draws_of(seed, self.shown, self.arm.item_id).click
        clicked = uniform * self.impressions < self.clicks  # the next of a shuffled queue, without shuffling it
        self.shown += 1
        self.impressions -= 1
        self.clicks -= clicked
        return clicked


@dataclass(slots=True)
class _Running:
    """A test in progress; its slate and rates are of the arms that are not empty."""

    context: Context
    queues: list[_Queue] = field(default_factory=list)
    left: int = 0
    candidates: tuple[Candidate, ...] = ()
    rates_K: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def refresh(self) -> None:
        full = [queue for queue in self.queues if queue.impressions]
        self.candidates = tuple(Candidate(item_id=queue.arm.item_id, text=queue.arm.headline) for queue in full)
        self.rates_K = np.array([queue.arm.clicks / queue.arm.impressions for queue in full])

    @property
    def over(self) -> bool:
        return self.left <= 0 or len(self.candidates) < 2


class UpworthyScene:
    """The scene of these tests; several run at once, a random one of them is met, the oldest waiting test follows.

    The true probability of an arm is its recorded click rate, so the oracle knows the archive, not the future draws.
    A test ends after its impressions, or when fewer than two of its arms have outcomes left. Arms that run empty also
    change what a uniform choice and the oracle are worth, so policies compare fairly only while `empty_arm_share` is
    small (about 3,000 impressions an arm).

    Args:
        settings: the file and how much of it.
        seed: of the order of tests and of outcomes.

    Attributes:
        tests_started: tests met so far.
        tests_with_empty_arm: tests of which an arm ran empty.
        overdrawn: showings of an arm that was empty by then; drawn from its click rate.

    Raises:
        WorldError: the path or the file is not as it must be.
    """

    def __init__(self, settings: UpworthySettings, seed: int = 0) -> None:
        self.tests_started = self.tests_with_empty_arm = self.overdrawn = 0
        self._settings, self._seed = settings, seed
        self._random = np.random.default_rng([seed, 2])
        self._waiting = read_tests(settings.path, settings.max_tests)[::-1]
        self._running: list[_Running] = []
        self._queues: dict[str, _Queue] = {}

    @property
    def impressions(self) -> int:
        """Impressions of all tests together, at most: fewer where arms run empty."""
        return (len(self._waiting) + self.tests_started) * self._settings.impressions_per_test

    @property
    def empty_arm_share(self) -> float:
        """Share of the tests started in which an arm ran empty."""
        return self.tests_with_empty_arm / max(1, self.tests_started)

    def emit(self, arrival: Arrival) -> View | None:
        """The next reader, who meets one of the running tests; None when no test is left."""
        self._running = [test for test in self._running if not test.over]
        while self._waiting and len(self._running) < self._settings.concurrent_tests:
            self._running.append(self._start(self._waiting.pop()))
        if not self._running:
            return None
        test = self._running[int(self._random.integers(len(self._running)))]
        test.left -= 1
        impression = Impression(
            impression_id=arrival.impression_id,
            user_id=f"visitor-{arrival.impression_id}",
            ts_ms=arrival.ts_ms,
            context=test.context,
            candidates=test.candidates,
        )
        return View(impression, test.rates_K)

    def clicked(self, view: View, action: int, uniform: float) -> bool:
        """The next recorded outcome of the shown arm; `uniform` decides only where none is left."""
        queue = self._queues[view.impression.candidates[action].item_id]
        if not queue.impressions:
            self.overdrawn += 1
            return uniform < float(view.rates_K[action])
        clicked = queue.draw(self._seed)
        if not queue.impressions:
            self.tests_with_empty_arm += len(queue.test.candidates) == len(queue.test.queues)
            queue.test.refresh()
        return clicked

    def _start(self, recorded: HeadlineTest) -> _Running:
        shared = {"group": recorded.arms[0].item_id.rpartition(":")[0]}
        context = Context(text=recorded.lede if self._settings.lede else None, attributes=shared)
        test = _Running(context=context, left=self._settings.impressions_per_test)
        test.queues = [_Queue(arm, test, arm.impressions, arm.clicks) for arm in recorded.arms]
        self._queues.update((queue.arm.item_id, queue) for queue in test.queues)
        test.refresh()
        self.tests_started += 1
        return test
