"""Laws of restarts: wherever the process dies, every decision has one outcome, the same one, in the same order."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.core_bench import LateLog
from support.join_worlds import DISORDER_MS, WINDOW_MS, attributed, impression, worlds

from agent.settings import InterestSettings
from agent.user_snapshots import UserStores
from envs.core import Core
from envs.decision import Decision
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from stream.codec import JsonCodec
from stream.errors import CommitFailedError
from stream.events import Outcome, Recommendation
from stream.meter import Tally
from stream.settings import AttributionSettings

LAW = settings(deadline=None)  # a busy machine breaks no law
ENDS = ("lives", "fails", "dies", "dies as it lands")


class LeakyLog(LateLog):
    """A log without transactions: a crash in a commit leaves the first of each topic's events, and no positions."""

    leak = None  # how many recommendations and outcomes of the next unit land

    def land(self, unit, progress):
        if self.leak is not None:
            for topic, count in zip(("recommendations", "outcomes"), self.leak, strict=True):
                for event in [event for event in unit.events if event[0] == topic][:count]:
                    self._store.write(*event)
            self.leak, self.fails = None, True
        return super().land(unit, progress)


class Run:
    """A core over a log, whose process dies now and then.

    Args:
        events: all that ever comes.
        overlap: whether the next records are polled while a unit of work is on its way.
        bounds: of the attribution.
    """

    def __init__(self, events, *, overlap, **bounds):
        self.log, self.overlap = LeakyLog(), overlap
        for event in events:
            self.log.append(event)
        attribution = AttributionSettings(window_ms=WINDOW_MS, out_of_order_ms=DISORDER_MS, **bounds)
        self._settings = CoreSettings(attribution=attribution)
        self.start()

    def start(self):
        """What a new process does: read from where the last commit stood, remember nothing else."""
        self.log.begin().abort()
        features = FeatureSettings(text="off", context_dim=0, candidate_dim=0)
        parts = Parts(self.log, Featurizer(features, None), UserStores(InterestSettings()), Tally(), lambda: 0)
        self.core = Core(self._settings, parts)

    def step(self, records, end="lives"):
        """A micro-batch, after which the process lives, dies, dies as its unit lands, or hears that it did not."""
        self.log.fails = end == "fails"
        try:
            decisions = [two_slots() for _ in self.core.poll(records)]
            self.core.send(decisions) if self.overlap else self.core.publish(decisions)
        except CommitFailedError:
            return 1
        if end.startswith("dies"):
            self.core.poll(records)  # read and never committed
            if end == "dies as it lands":
                self.core.land()
            self.start()
        return self.core.received

    def leak(self, records, counts):
        """A step whose events land in part, while its positions do not; then the process is dead."""
        self.log.leak = counts
        try:
            self.core.publish([two_slots() for _ in self.core.poll(records)])
        except CommitFailedError:
            self.start()
        self.log.leak = None

    def finish(self):
        while self.step(10):
            pass
        self.core.publish([], final=True)

    def read(self, topic, kind):
        codec = JsonCodec()
        return [codec.decode(r.value, kind) for r in self.log.read(topic, 0, 0, self.log.end(topic, 0))]


def two_slots():
    none = (None, None)
    return Decision((0, 1), none, none, None, None, strategy="s", policy_version="0.0", seed=0)


def run_of(world, logged, data, leaky=False, **bounds):
    impressions, clicks = world
    impressions = [impression(each.impression_id, each.ts_ms, n in logged) for n, each in enumerate(impressions)]
    late_by = st.integers(0, DISORDER_MS - 1)
    events = sorted([*impressions, *clicks], key=lambda event: event.ts_ms + data.draw(late_by))
    run = Run(events, overlap=data.draw(st.booleans()), **bounds)
    if leaky:
        run.step(1)  # without a first commit nothing says from where to look
        run.core.land()
        for records, *counts in data.draw(st.lists(st.tuples(st.integers(1, 4), *[st.integers(0, 5)] * 2), max_size=8)):
            run.leak(records, counts)
            run.step(data.draw(st.integers(1, 3)))
    for records, end in data.draw(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(ENDS)), max_size=12)):
        run.step(records, end)
    run.finish()
    return run


@LAW
@given(worlds(), st.sets(st.integers(0, 5)), st.data())
def test_what_closes_does_not_depend_on_when_the_process_dies(world, logged, data):
    outcomes = run_of(world, logged, data).read("outcomes", Outcome)
    found = {
        each.recommendation.impression_id: [(click.ts_ms, click.item_id, click.value) for click in each.clicks]
        for each in outcomes
    }
    assert len(found) == len(outcomes)
    assert found == attributed(*world)
    assert [each.closed_ms for each in outcomes] == sorted(each.closed_ms for each in outcomes)


@LAW
@given(worlds(), st.sets(st.integers(0, 5)), st.data())
def test_without_transactions_a_crash_in_a_commit_decides_nothing_twice_and_closes_nothing_twice(world, logged, data):
    run = run_of(world, logged, data, leaky=True)
    outcomes = run.read("outcomes", Outcome)
    shown = [each.decision_id for each in run.read("recommendations", Recommendation)]
    assert len(set(shown)) == len(shown)
    found = {
        each.recommendation.impression_id: [(click.ts_ms, click.item_id, click.value) for click in each.clicks]
        for each in outcomes
    }
    assert len(found) == len(outcomes)
    assert found == attributed(*world)
    assert [each.closed_ms for each in outcomes] == sorted(each.closed_ms for each in outcomes)


@LAW
@given(worlds(), st.sets(st.integers(0, 5)), st.integers(400, 1_500), st.data())
def test_every_decision_has_one_outcome_even_where_bounds_close_it_and_the_process_dies(world, logged, room, data):
    run = run_of(world, logged, data, max_open_bytes=room)
    outcomes = [each.recommendation for each in run.read("outcomes", Outcome)]
    ours = [each.decision_id for each in outcomes if each.strategy != "logged"]
    assert sorted(ours) == sorted(each.decision_id for each in run.read("recommendations", Recommendation))
    assert len({each.decision_id for each in outcomes}) == len(outcomes)
