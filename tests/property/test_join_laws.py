"""Laws of attribution over arbitrary streams: order and repeats change nothing, bounds hold, time does not run back."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from support.join_worlds import T0_MS, WINDOW_MS, attributed, recommendation, worlds

from stream.codec import JsonCodec
from stream.early_clicks import click_bytes
from stream.events import Click
from stream.join import ClickJoin
from stream.log import INPUT_TOPICS, TopicPartition
from stream.open_decisions import OpenDecisions, Origin
from stream.packing import Packing
from stream.settings import AttributionSettings
from stream.watermark import Watermarks

LAW = settings(deadline=None)  # a busy machine breaks no law


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
        elif self.join.arrive(event, Origin(place)) == "new":
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
@given(worlds(), st.integers(400, 3_000), st.integers(700, 3_000), st.data())
def test_bounds_hold_and_every_click_has_one_fate(world, max_open_bytes, max_early_bytes, data):
    impressions, clicks = world
    run = arrivals(max_open_bytes=max_open_bytes, max_early_bytes=max_early_bytes)
    for place, event in enumerate(data.draw(st.permutations([*impressions, *clicks]))):
        run.take(event, place)
        assert run.join.early_bytes <= max_early_bytes
        run.advance(data.draw(st.integers(0, T0_MS + 100)))
        assert run.join.open_bytes <= max_open_bytes
        assert run.fates["early"] == run.join.early
    assert sum(run.fates.values()) == len(clicks)
    for name, joined in run.closed.items():
        assert set(joined) <= set(attributed(impressions, clicks)[name])


@LAW
@given(worlds(), st.data())
def test_bytes_are_what_they_are_when_counted_anew(world, data):
    impressions, clicks = world
    run = arrivals()
    for place, event in enumerate(data.draw(st.permutations([*impressions, *clicks]))):
        run.take(event, place)
        if data.draw(st.booleans()):
            run.advance(data.draw(st.integers(0, T0_MS + 100)))
        joined = sum(click_bytes(click) for _, click in run.join.open_clicks())
        assert run.join.open_bytes == run.join._open.recount() + joined
        waiting = [each for early in run.join._early._waiting.values() for each, _ in early.clicks.values()]
        assert run.join.early_bytes == sum(map(click_bytes, waiting))
    run.advance(T0_MS + 300)
    assert (run.join.open_bytes, run.join.early_bytes) == (0, 0)


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 30), st.binary(max_size=400), st.binary(max_size=400)),
            st.tuples(st.just("close")),
            st.tuples(st.just("remove"), st.integers(0, 40)),
        ),
        max_size=60,
    )
)
def test_the_packed_store_is_a_plain_dictionary_in_little_memory(steps):
    store, plain, added = OpenDecisions(Packing(JsonCodec())), {}, 0
    for kind, *details in steps:
        if kind == "add":
            expiry_ms, impression, recommendation = details
            store.add(key_of(added), expiry_ms, Origin(added), impression)
            store.decide(key_of(added), recommendation)
            plain[key_of(added)] = (expiry_ms, added, impression, recommendation)
            added += 1
        elif kind == "remove":
            store.remove(key_of(details[0]))
            plain.pop(key_of(details[0]), None)
        elif plain:
            first = min(plain, key=lambda key: plain[key][:2])
            assert store.next_to_close() == (plain[first][0], first)
            store.remove(first)
            del plain[first]
        assert {key: (store.expiry_ms(key), store.offset(key), *store.events(key)) for key in plain} == plain
        assert (len(store), store.bytes) == (len(plain), store.recount())
        origin = store.origin()
        assert (origin and origin.impressions) == min((offset for _, offset, *_ in plain.values()), default=None)


def key_of(number):
    return number.to_bytes(16, "big")


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("observe"),
                st.sampled_from(INPUT_TOPICS),
                st.integers(0, 2),
                st.integers(1, 10**6),
                st.integers(1, 10**6),
            ),
            st.tuples(st.just("restart"), st.integers(0, 2)),
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
            topic, partition, ts_ms, logged_ms = details
            marks.observe(TopicPartition(topic, partition), ts_ms, logged_ms)
            newest_ms[0] = max(newest_ms[0], min(ts_ms, logged_ms))
        elif kind == "restart":
            marks.restore(details[0], before[details[0]])
        elif kind == "wait":
            now_ms[0] += details[0]
            waited = True
        else:
            now = marks.advance({0, 1, 2}, behind={TopicPartition(*source) for source in details[0]})
            assert all(now[partition] >= before[partition] for partition in now)
            assert waited or max(now.values()) <= max(newest_ms[0] - 100, 0)
            before = now
