"""Laws of attribution over arbitrary streams: order and repeats change nothing, bounds hold, time does not run back."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.interests import InterestStore
from agent.settings import InterestSettings
from envs.core import Core
from envs.decision import Decision
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from stream.codec import JsonCodec
from stream.events import Candidate, Click, Impression, Logged, Outcome, Recommendation, Slot
from stream.join import ClickJoin
from stream.log import INPUT_TOPICS, TopicPartition
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.settings import AttributionSettings
from stream.watermark import Watermarks

LAW = settings(deadline=None)  # a busy machine breaks no law

T0_MS = 10_000
WINDOW_MS = 20
DISORDER_MS = 15
CANDIDATES = tuple(Candidate(item_id=item) for item in "abc")
TIMES = st.integers(T0_MS, T0_MS + 50)


def impression(name, ts_ms, logged=False):
    shown = Logged(item_ids=("a", "b")) if logged else None
    return Impression(impression_id=name, user_id="u", ts_ms=ts_ms, candidates=CANDIDATES, slots=2, logged=shown)


def recommendation(of):
    slate = (Slot(item_id="a"), Slot(item_id="b"))
    fields = {"decision_id": of.impression_id, "impression_id": of.impression_id, "user_id": "u", "ts_ms": of.ts_ms}
    return Recommendation(**fields, slate=slate, strategy="s", policy_version="0.0")


@st.composite
def worlds(draw):
    """Up to six impressions, and clicks on them and on others that never come."""
    times = draw(st.lists(TIMES, min_size=1, max_size=6))
    impressions = [impression(f"i{number}", ts_ms) for number, ts_ms in enumerate(times)]
    clicks = draw(
        st.lists(
            st.builds(
                Click,
                impression_id=st.sampled_from([f"i{number}" for number in range(len(times) + 1)]),
                user_id=st.sampled_from(["u", "u", "u", "other"]),
                item_id=st.sampled_from("abc"),
                ts_ms=st.integers(T0_MS - 10, T0_MS + 80),
                value=st.sampled_from([1.0, 2.0]),
            ),
            max_size=12,
        )
    )
    return impressions, clicks


def attributed(impressions, clicks):
    """What must come of it, without any notion of order: all different clicks in the window, on what is shown."""
    return {
        each.impression_id: sorted(
            {
                (click.ts_ms, click.item_id, click.value)
                for click in clicks
                if (click.user_id, click.impression_id) == ("u", each.impression_id)
                and click.item_id in "ab"
                and 0 <= click.ts_ms - each.ts_ms < WINDOW_MS
            }
        )
        for each in impressions
    }


@dataclass
class Arrivals:
    """Feeds a join in a given order, with the watermark as far as it can be: before all that has yet to come."""

    join: ClickJoin
    closed: dict
    fates: Counter

    def feed(self, events):
        """`events` come with whether each is a repeat: those may come behind the watermark."""
        for place, (event, _) in enumerate(events):
            self.take(event, place)
            to_come = [later.ts_ms for later, repeated in events[place + 1 :] if not repeated]
            self.advance(min(to_come, default=T0_MS + 200) - 1)

    def take(self, event, place):
        if isinstance(event, Click):
            self.fates[self.join.click(event, place)] += 1
        elif self.join.arrive(event, place) == "new":
            for _, fate in self.join.decide(recommendation(event)):
                self.fates["early"] -= 1
                self.fates[fate] += 1

    def advance(self, watermark_ms):
        before_ms = self.join.watermark_ms
        closed, orphans = self.join.advance(watermark_ms)
        assert self.join.watermark_ms >= before_ms
        self.fates["early"] -= orphans
        self.fates["orphan"] += orphans
        for decision in closed:
            name = decision.impression.impression_id
            assert name not in self.closed  # closed once
            self.closed[name] = [(click.ts_ms, click.item_id, click.value) for click in decision.clicks]


def arrivals(**more):
    return Arrivals(ClickJoin(AttributionSettings(**{"window_ms": WINDOW_MS} | more)), {}, Counter())


@LAW
@given(worlds(), st.data())
def test_what_closes_does_not_depend_on_the_order_of_arrival(world, data):
    impressions, clicks = world
    run = arrivals()
    run.feed([(event, False) for event in data.draw(st.permutations([*impressions, *clicks]))])
    assert run.closed == attributed(impressions, clicks)
    assert run.join.early == len(run.join) == 0


@LAW
@given(worlds(), st.data())
def test_repeats_change_nothing_wherever_they_come(world, data):
    impressions, clicks = world
    events = data.draw(st.permutations([*impressions, *clicks]))
    order = [(event, False) for event in events]
    for event in data.draw(st.lists(st.sampled_from(events), max_size=8)):
        first = next(place for place, (other, _) in enumerate(order) if other is event)
        order.insert(data.draw(st.integers(first + 1, len(order))), (event, True))
    run = arrivals()
    run.feed(order)
    assert run.closed == attributed(impressions, clicks)


@LAW
@given(worlds())
def test_early_clicks_are_joined_once_their_decision_is_made(world):
    impressions, clicks = world
    run = arrivals()
    run.feed([(event, False) for event in [*clicks, *impressions]])
    assert run.closed == attributed(impressions, clicks)
    assert run.fates["joined"] == sum(map(len, run.closed.values()))


@LAW
@given(worlds(), st.integers(1, 3), st.integers(1, 3), st.data())
def test_bounds_hold_and_every_click_has_one_fate(world, max_open, max_early, data):
    impressions, clicks = world
    run = arrivals(max_open=max_open, max_early=max_early)
    for place, event in enumerate(data.draw(st.permutations([*impressions, *clicks]))):
        run.take(event, place)
        assert run.join.early <= max_early
        run.advance(data.draw(st.integers(0, T0_MS + 100)))
        assert len(run.join) <= max_open
        assert run.fates["early"] == run.join.early
    assert sum(run.fates.values()) == len(clicks)
    for name, joined in run.closed.items():
        assert set(joined) <= set(attributed(impressions, clicks)[name])


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("observe"), st.sampled_from(INPUT_TOPICS), st.integers(0, 2), st.integers(1, 10**6)),
            st.tuples(st.just("advance"), st.sets(st.tuples(st.sampled_from(INPUT_TOPICS), st.integers(0, 2)))),
            st.tuples(st.just("wait"), st.integers(0, 3_000)),
        ),
        max_size=40,
    )
)
def test_the_watermark_never_recedes_and_stays_behind_the_events_while_they_come(steps):
    now_ms, newest_ms = [0], [0]
    marks = Watermarks(AttributionSettings(out_of_order_ms=100, idle_ms=1_000), clock=lambda: now_ms[0])
    before = marks.advance({0, 1, 2}, behind=set())
    waited = False
    for kind, *details in steps:
        if kind == "observe":
            topic, partition, ts_ms = details
            marks.observe(TopicPartition(topic, partition), ts_ms)
            newest_ms[0] = max(newest_ms[0], ts_ms)
        elif kind == "wait":
            now_ms[0] += details[0]
            waited = True
        else:
            now = marks.advance({0, 1, 2}, behind={TopicPartition(*source) for source in details[0]})
            assert all(now[partition] >= before[partition] for partition in now)
            assert waited or max(now.values()) <= max(newest_ms[0] - 100, 0)
            before = now


class Run:
    """A core over a log, whose process dies now and then."""

    def __init__(self, events, **bounds):
        self.log = MemoryLog()
        for event in events:
            self.log.append(event)
        attribution = AttributionSettings(window_ms=WINDOW_MS, out_of_order_ms=DISORDER_MS, **bounds)
        self._settings = CoreSettings(attribution=attribution)
        self.start()

    def start(self):
        """What a new process does: read from where the last commit stood, remember nothing else."""
        self.log.begin().abort()
        features = FeatureSettings(text="off", context_dim=0, candidate_dim=0)
        parts = Parts(self.log, Featurizer(features, None), InterestStore(InterestSettings()), Tally(), lambda: 0)
        self.core = Core(self._settings, parts)

    def step(self, records, dies):
        self.core.publish([two_slots() for _ in self.core.poll(records)])
        if dies:
            self.core.poll(records)  # read and never committed
            self.start()
        return self.core.received

    def finish(self):
        while self.step(10, dies=False):
            pass
        self.core.publish([], final=True)

    def read(self, topic, kind):
        codec = JsonCodec()
        return [codec.decode(r.value, kind) for r in self.log.read(topic, 0, 0, self.log.end(topic, 0))]


def two_slots():
    none = (None, None)
    return Decision((0, 1), none, none, None, None, strategy="s", policy_version="0.0", seed=0)


def run_of(world, logged, data, **bounds):
    impressions, clicks = world
    impressions = [impression(each.impression_id, each.ts_ms, n in logged) for n, each in enumerate(impressions)]
    late_by = st.integers(0, DISORDER_MS - 1)
    run = Run(sorted([*impressions, *clicks], key=lambda event: event.ts_ms + data.draw(late_by)), **bounds)
    for records, dies in data.draw(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12)):
        run.step(records, dies)
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


@LAW
@given(worlds(), st.sets(st.integers(0, 5)), st.integers(1, 3), st.data())
def test_every_decision_has_one_outcome_even_where_bounds_close_it_and_the_process_dies(world, logged, max_open, data):
    run = run_of(world, logged, data, max_open=max_open)
    outcomes = [each.recommendation for each in run.read("outcomes", Outcome)]
    ours = [each.decision_id for each in outcomes if each.strategy != "logged"]
    assert sorted(ours) == sorted(each.decision_id for each in run.read("recommendations", Recommendation))
    assert len({each.decision_id for each in outcomes}) == len(outcomes)
