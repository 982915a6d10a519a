"""A world on a list-backed log: order in event time, common random numbers, and bounds."""

from collections import deque

import numpy as np
import pytest

from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival, View, World, WorldSettings, draws_of
from stream.codec import JsonCodec
from stream.errors import LogFullError
from stream.events import Candidate, Click, Impression, Recommendation, Slot
from stream.log import Progress
from stream.memory import MemoryLog


class ListLog:
    """A `WorldLog` that checks its use: nothing after close, bounded polls, and refusal on demand."""

    def __init__(self):
        self.events, self.answers = [], deque()
        self.flushed, self.refuse_after = 0, None

    def append(self, event):
        assert isinstance(event, Impression | Click)
        if self.refuse_after is not None and len(self.events) >= self.refuse_after:
            raise LogFullError("log must hold fewer; it is full")
        self.events.append(event)

    def recommendations(self, max_records, timeout_ms):
        assert max_records > 0
        assert timeout_ms >= 0
        return [self.answers.popleft() for _ in range(min(max_records, len(self.answers)))]

    def flush(self):
        self.flushed += 1

    def close(self):
        pass

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class FixedScene:
    """Three items with known rates for one user; ends after `length` impressions."""

    def __init__(self, rates=(0.2, 0.5, 0.8), slots=1, length=10**9):
        self.rates_K, self.slots, self.length = np.array(rates), slots, length

    def emit(self, arrival: Arrival) -> View | None:
        if arrival.index >= self.length:
            return None
        items = tuple(Candidate(item_id=f"item-{place}") for place in range(len(self.rates_K)))
        impression = Impression(
            impression_id=arrival.impression_id, user_id="u", ts_ms=arrival.ts_ms, candidates=items, slots=self.slots
        )
        return View(impression, self.rates_K)

    def clicked(self, view: View, action: int, uniform: float) -> bool:
        return uniform < view.rates_K[action]


def recommend(impression, *items):
    return Recommendation(
        decision_id=f"d-{impression.impression_id}",
        impression_id=impression.impression_id,
        user_id=impression.user_id,
        ts_ms=impression.ts_ms,
        slate=tuple(Slot(item_id=item) for item in items),
        strategy="test",
        policy_version="0.0",
    )


def play(scene, choose, seed=0, batch=8, **settings):
    """Runs a world to its end; `choose` names the items to show for an impression."""
    log = ListLog()
    world, seen = World(scene, log, WorldSettings(**settings), seed), 0
    while world.advance(batch):
        fresh = log.of(Impression)[seen:]
        seen += len(fresh)
        log.answers.extend(recommend(impression, *choose(impression)) for impression in fresh)
    world.finish()
    return world, log


def test_the_world_ends_after_its_impressions_and_says_so():
    world, log = play(FixedScene(), lambda _: ["item-0"], impressions=21)
    assert len(log.of(Impression)) == 21
    assert world.ended
    assert world.advance(5) == 0
    assert log.flushed == 1


def test_the_last_batch_before_the_end_is_counted_as_what_it_was():
    world = World(FixedScene(), ListLog(), WorldSettings(impressions=5), seed=0)
    assert [world.advance(3), world.advance(3), world.advance(3)] == [3, 2, 0]


def test_a_scene_can_end_the_world_earlier():
    world, log = play(FixedScene(length=4), lambda _: ["item-0"], impressions=100)
    assert len(log.of(Impression)) == 4
    assert world.ended


def test_impressions_come_at_the_set_rate_in_event_time():
    _, log = play(FixedScene(), lambda _: ["item-0"], impressions=4_000, batch=400, rate_per_s=20.0)
    times = np.array([impression.ts_ms for impression in log.of(Impression)])
    assert (np.diff(times) >= 0).all()
    assert np.diff(times).mean() == pytest.approx(50, rel=0.06)  # 1000 / 20, standard error 50 / sqrt(4000) = 0.8


def test_events_are_in_event_time_when_decisions_come_at_once():
    """With one impression at a time a click is behind the newest event only if the next impression overtook it."""
    world, log = play(FixedScene(), lambda _: ["item-2"], impressions=400, batch=1, duplicate_click_share=0.0)
    assert world.tally.overdue == 0
    times = [event.ts_ms for event in log.events]
    assert times == sorted(times)


def test_a_click_that_was_due_before_its_recommendation_came_is_emitted_next_with_its_own_time():
    world, log = play(FixedScene(), lambda _: ["item-2"], impressions=200, batch=100, click_delay_ms=100)
    assert world.tally.overdue > 0
    by_id = {impression.impression_id: impression for impression in log.of(Impression)}
    assert all(click.ts_ms >= by_id[click.impression_id].ts_ms for click in log.of(Click))


def test_click_frequency_is_the_true_probability():
    world, _ = play(FixedScene(), lambda _: ["item-1"], impressions=4_000, batch=500)
    assert world.tally.click_rate == pytest.approx(0.5)
    assert world.tally.clicks / 4_000 == pytest.approx(0.5, abs=4 * 0.5 / 4_000**0.5)


def test_click_delays_have_their_mean_and_some_are_late():
    world, log = play(FixedScene((1.0,)), lambda _: ["item-0"], impressions=4_000, batch=500, click_delay_ms=5_000)
    by_id = {impression.impression_id: impression.ts_ms for impression in log.of(Impression)}
    delays = np.array([click.ts_ms - by_id[click.impression_id] for click in log.of(Click) if click.click_id])
    assert delays.mean() == pytest.approx(5_000, rel=0.1)
    late = world.tally.late / 4_000  # log-normal with sigma 1: P(Z > ln 6 + 1/2) = 0.011
    assert 0.005 < late < 0.02


def test_lost_and_repeated_clicks_have_their_share():
    settings = {"impressions": 4_000, "lost_click_share": 0.25, "duplicate_click_share": 0.1}
    world, log = play(FixedScene((1.0,)), lambda _: ["item-0"], batch=500, **settings)
    tally = world.tally
    assert tally.clicks + tally.lost == 4_000
    assert tally.lost / 4_000 == pytest.approx(0.25, abs=0.03)
    assert tally.duplicates / tally.clicks == pytest.approx(0.1, abs=0.025)
    ids = [click.click_id for click in log.of(Click)]
    assert len(ids) - len(set(ids)) == tally.duplicates


def test_two_policies_on_one_seed_see_the_same_impressions_and_the_same_clicks_where_they_agree():
    def cautious(impression):
        return [impression.candidates[0].item_id]

    def split(impression):
        return [impression.candidates[int(impression.impression_id[1:]) % 2].item_id]

    scenes = [ReaderScene(ReaderSettings(base=-1.0), seed=3) for _ in range(2)]
    (_, one), (_, two) = (play(scenes[0], cautious, impressions=300), play(scenes[1], split, impressions=300, batch=5))
    assert one.of(Impression) == two.of(Impression)
    shown = {impression.impression_id: split(impression)[0] for impression in two.of(Impression)}
    agreed = {click for click in one.of(Click) if shown[click.impression_id] == click.item_id}
    assert agreed == {click for click in two.of(Click) if int(click.impression_id[1:]) % 2 == 0}
    assert agreed


def test_the_common_random_numbers_are_uniform_and_apart():
    numbers = np.array([draws_of(1, index, "a") for index in range(4_000)])
    assert np.abs(numbers.mean(axis=0) - 0.5).max() < 4 * (1 / 12 / 4_000) ** 0.5
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 4 / 4_000**0.5
    assert ((numbers > 0) & (numbers < 1)).all()


def test_the_same_seed_repeats_the_run_and_another_does_not():
    runs = [play(FixedScene(), lambda _: ["item-1"], seed=seed, impressions=100)[1].events for seed in (5, 5, 6)]
    assert runs[0] == runs[1] != runs[2]


def test_a_slate_is_valued_by_its_expected_clicks():
    world, log = play(FixedScene(slots=2), lambda _: ["item-0", "item-1"], impressions=50)
    # shown 0.2 + 0.5; uniform 2 x (0.2 + 0.5 + 0.8) / 3; oracle 0.8 + 0.5
    rates = world.tally.click_rate, world.tally.click_rate_uniform, world.tally.click_rate_oracle
    assert rates == pytest.approx((0.7, 1.0, 1.3))
    assert {click.item_id for click in log.of(Click)} == {"item-0", "item-1"}


def test_undecided_counts_what_waits_and_the_oldest_are_forgotten_past_the_bound():
    log = ListLog()
    world = World(FixedScene(), log, WorldSettings(impressions=100, max_undecided=10), seed=0)
    world.advance(8)
    assert world.undecided == 8
    world.advance(6)
    assert (world.undecided, world.tally.forgotten) == (10, 4)
    log.answers.extend(recommend(impression, "item-0") for impression in log.of(Impression))
    assert world.advance(0) == 0
    assert not world.ended
    assert (world.undecided, world.tally.unmatched, world.tally.decided) == (0, 4, 10)


def test_a_second_recommendation_and_an_item_that_was_no_candidate_are_counted_and_change_nothing():
    log = ListLog()
    world = World(FixedScene((1.0, 0.0)), log, WorldSettings(impressions=1), seed=0)
    world.advance(1)
    impression = log.events[0]
    log.answers.extend([recommend(impression, "item-1", "elsewhere"), recommend(impression, "item-0")])
    world.finish()
    assert (world.tally.foreign, world.tally.unmatched, world.tally.clicks) == (1, 1, 0)
    assert world.tally.click_rate == 0.0


def test_what_a_full_log_refuses_is_emitted_later_and_nothing_is_lost():
    _, smooth = play(FixedScene(), lambda _: ["item-2"], impressions=30)
    log = ListLog()
    log.refuse_after = 13
    world = World(FixedScene(), log, WorldSettings(impressions=30), seed=0)
    with pytest.raises(LogFullError):
        world.advance(30)
    assert len(log.events) == world.tally.impressions == 13
    log.refuse_after = None
    assert world.advance(30) == 17
    assert log.of(Impression) == smooth.of(Impression)


def test_a_world_drives_a_memory_log():
    log, codec, world_settings = MemoryLog(), JsonCodec(), WorldSettings(impressions=100)
    world = World(ReaderScene(ReaderSettings(base=0.0), seed=0), log, world_settings, seed=0)
    offsets = {"impressions": 0, "clicks": 0}
    while world.advance(32):
        unit = log.begin()
        for record in log.poll(1_000, 0):
            offsets[record.topic] = record.offset + 1
            if record.topic == "impressions":
                impression = codec.decode(record.value, Impression, record.headers)
                answer = recommend(impression, impression.candidates[0].item_id)
                unit.publish("recommendations", record.partition, record.key, codec.encode(answer), codec.headers)
        unit.commit({0: Progress(next=dict(offsets), low=dict(offsets))})
    world.finish()
    assert world.tally.decided == 100
    clicks = [record for record in log.poll(1_000, 0) if record.topic == "clicks"]
    assert offsets["clicks"] + len(clicks) == world.tally.clicks + world.tally.duplicates > 0
