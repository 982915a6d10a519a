"""The core over a real memory log: what is published and with what, what is counted, and what a crash cannot change."""

import numpy as np
import pytest

from agent.interests import InterestStore
from agent.settings import InterestSettings
from envs.core import Core
from envs.decision import Decision
from envs.features import FeatureSettings, Featurizer
from envs.parts import CoreSettings, Parts
from envs.reward import RewardSettings
from stream.codec import JsonCodec, read_dead_letter
from stream.errors import CommitFailedError, LogUnavailableError
from stream.events import Candidate, Click, Context, Impression, Logged, Outcome, Recommendation
from stream.identity import decision_id
from stream.log import Progress
from stream.memory import MemoryLog
from stream.meter import Tally
from stream.settings import AttributionSettings

T0_MS = 1_700_000_000_000
CODEC = JsonCodec()
WINDOW = AttributionSettings(window_ms=1_000, out_of_order_ms=0)


class Clock:
    """Processing time that a test moves on."""

    def __init__(self):
        self.now_ms = T0_MS

    def __call__(self):
        return self.now_ms


class Bench:
    """A core over a memory log, driven by a policy that always shows the first candidates."""

    def __init__(self, log=None, partitions=1, **settings):
        self.log = log or MemoryLog(partitions)
        self.settings = CoreSettings(**{"attribution": WINDOW} | settings)
        self.start()

    def start(self):
        """A new process on the same log: nothing of the old one is left but what it committed."""
        self.log.begin().abort()
        self.clock, self.meter = Clock(), Tally()
        features = FeatureSettings(text="off", context_dim=2, candidate_dim=1)
        self.interests = InterestStore(InterestSettings())
        parts = Parts(self.log, Featurizer(features, None), self.interests, self.meter, self.clock)
        self.core = Core(self.settings, parts)

    def step(self, max_records=100):
        impressions = self.core.poll(max_records)
        if impressions:
            self.core.observe(impressions)
        return self.core.publish([first_of(impression) for impression in impressions])

    def append(self, *events):
        for event in events:
            self.log.append(event)

    def records(self, topic, partition=0):
        return list(self.log.read(topic, partition, 0, self.log.end(topic, partition)))

    def published(self, partition=0):
        return [CODEC.decode(r.value, Recommendation, r.headers) for r in self.records("recommendations", partition)]

    def outcomes(self, partition=0):
        return [CODEC.decode(r.value, Outcome, r.headers) for r in self.records("outcomes", partition)]

    def counted(self, name):
        return {label: count for (key, label), count in self.meter.counters.items() if key == name and count}


def first_of(impression):
    slots, count = impression.slots, len(impression.candidates)
    return Decision(
        slate=tuple(range(slots)),
        propensities=tuple(1.0 / (count - slot) for slot in range(slots)),
        scores=(0.5,) * slots,
        probabilities=(1.0 / count,) * count,
        greedy_probability=1.0 / count,
        strategy="first",
        policy_version="3.4",
        seed=5,
    )


def impression(name="i1", ts_ms=T0_MS, user="u1", **more):
    fields = {"context": Context(features=(0.5, -0.5)), "candidates": candidates("a", "b", "c", "d")}
    return Impression(impression_id=name, user_id=user, ts_ms=ts_ms, **fields | more)


def candidates(*items):
    return tuple(Candidate(item_id=item, features=(float(place),)) for place, item in enumerate(items))


def click(name="i1", ts_ms=T0_MS + 100, item="a", user="u1", **more):
    return Click(impression_id=name, user_id=user, item_id=item, ts_ms=ts_ms, **more)


def tick(ts_ms, user="u1"):
    """An event that does nothing but say how late it is: a click on an impression that nobody sees."""
    return click("nothing", ts_ms, user=user)


# Decisions


def test_a_decision_is_published_with_its_propensities_under_the_users_key():
    bench = Bench()
    bench.append(impression(slots=2))
    bench.step()
    (record,) = bench.records("recommendations")
    assert (record.key, record.headers) == (b"u1", (("streambandit-schema", b"1"),))
    (shown,) = bench.published()
    assert (shown.decision_id, shown.impression_id) == (decision_id("u1", "i1"), "i1")
    assert [(slot.item_id, slot.propensity, slot.score) for slot in shown.slate] == [
        ("a", 1 / 4, 0.5),
        ("b", 1 / 3, 0.5),
    ]
    assert shown.slate_propensity == pytest.approx(1 / 4 * 1 / 3)
    assert shown.probabilities == (0.25,) * 4
    assert (shown.ts_ms, shown.strategy, shown.policy_version, shown.seed) == (T0_MS, "first", "3.4", 5)
    assert shown.knew is not None


def test_probabilities_of_many_candidates_are_left_out():
    bench = Bench(max_probabilities=3)
    bench.append(impression(), impression("i2", candidates=candidates("a", "b", "c")))
    bench.step()
    assert [shown.probabilities for shown in bench.published()] == [None, (1 / 3,) * 3]


def test_a_slate_too_long_for_its_propensity_to_be_a_number_has_an_unknown_one():
    bench = Bench()
    bench.append(impression(candidates=candidates(*map(str, range(300))), slots=300))
    bench.step()
    (shown,) = bench.published()
    assert len(shown.slate) == 300  # 1/300! is about 10**-614
    assert shown.slate_propensity is None


def test_decisions_come_back_in_the_partition_of_their_users():
    bench = Bench(partitions=2)
    bench.append(*(impression(f"i{number}", user=f"u{number}") for number in range(8)))
    bench.step()
    for partition in (0, 1):
        asked = {record.key for record in bench.records("impressions", partition)}
        assert asked == {record.key for record in bench.records("recommendations", partition)} != set()


def test_what_the_policy_read_of_the_user_is_what_is_published():
    bench = Bench()
    bench.append(impression())
    bench.step()
    bench.append(click(item="b"), click(item="a"), impression("i2", T0_MS + 500))
    bench.step()
    assert [(shown.knew.clicks, shown.knew.idle_ms) for shown in bench.published()] == [(0, None), (1, 400)]


def test_a_poll_of_nothing_publishes_and_commits_nothing():
    bench = Bench()
    assert bench.step() == []
    assert bench.log.progress(0) is None


# Outcomes


def test_a_decision_becomes_an_outcome_that_trains_and_replays_without_another_event():
    bench = Bench()
    bench.append(impression(slots=2))
    bench.step()
    bench.append(click(item="b", ts_ms=T0_MS + 200), click(item="b", ts_ms=T0_MS + 100), tick(T0_MS + 1_000))
    (closed,) = bench.step()
    (outcome,) = bench.outcomes()
    assert outcome == closed.outcome
    assert outcome.impression == impression(slots=2)
    assert outcome.recommendation == bench.published()[0]
    assert outcome.clicks == (click(item="b", ts_ms=T0_MS + 100), click(item="b", ts_ms=T0_MS + 200))
    assert (outcome.rewards, outcome.closed_ms) == ((0.0, 1.0), T0_MS + 1_000)
    (record,) = bench.records("outcomes")
    assert (record.key, record.headers) == (b"u1", CODEC.headers)
    assert closed.position == ("outcomes", 0, 0)


def test_a_decision_stays_open_until_the_watermark_has_passed_its_window():
    bench = Bench()
    bench.append(impression(), tick(T0_MS + 999))
    assert bench.step() == []
    assert bench.core.open_decisions == 1
    bench.append(tick(T0_MS + 1_000))
    assert len(bench.step()) == 1
    assert bench.core.open_decisions == 0


def test_unread_records_hold_the_watermark():
    bench = Bench()
    bench.append(impression())
    bench.step()
    bench.append(impression("i2", T0_MS + 2_000), click())
    assert bench.step(max_records=1) == []  # the click waits unread
    (closed,) = bench.step(max_records=1)
    assert closed.outcome.rewards == (1.0,)


def test_at_the_end_everything_open_closes():
    bench = Bench()
    bench.append(impression(), impression("i2", user="u2"), click())
    bench.step()
    closed = bench.core.publish([], final=True)
    assert [each.outcome.rewards for each in closed] == [(1.0,), (0.0,)]
    assert [each.position.offset for each in closed] == [0, 1]


def test_rewards_follow_the_settings():
    bench = Bench(reward=RewardSettings(kinds={"like": 1.0}, aggregation="sum", reward_max=4.0))
    bench.append(impression(), click(), click(kind="like"), click(kind="like", value=2.0))
    bench.step()
    (closed,) = bench.core.publish([], final=True)
    assert closed.outcome.rewards == (0.75,)


def test_a_joined_click_moves_the_users_interests_at_once_and_a_close_without_one_counts():
    bench = Bench()
    bench.append(impression(), impression("i2"), click(item="a"))
    bench.step()
    known = bench.interests.read("u1", T0_MS + 100, np.zeros(1, np.float32))
    assert (known.clicks, known.decisions) == (1, 0)
    bench.core.publish([], final=True)
    known = bench.interests.read("u1", T0_MS + 100, np.zeros(1, np.float32))
    assert (known.clicks, known.decisions) == (1, 1)


# What is set aside or only counted


@pytest.mark.parametrize(
    ("topic", "value", "headers", "reason"),
    [
        ("impressions", b"{", (), "Impression is not valid"),
        ("clicks", b"\xff", (), "Click is not valid"),
        ("clicks", CODEC.encode(click()), (("streambandit-schema", b"2"),), "must be a known version"),
        ("impressions", CODEC.encode(impression(slots=4)).replace(b'"slots":4', b'"slots":9'), (), "impression.slots"),
        ("impressions", CODEC.encode(impression(context=Context(features=(1.0,)))), (), "context.features must have 2"),
        ("clicks", CODEC.encode(click(ts_ms=T0_MS + 60_001)), (), "ts_ms must be at most 60000 ms ahead"),
        ("impressions", CODEC.encode(impression(ts_ms=T0_MS + 60_001)), (), "ts_ms must be at most 60000 ms ahead"),
    ],
)
def test_a_record_that_cannot_be_used_is_set_aside_with_its_place_and_the_stream_goes_on(topic, value, headers, reason):
    bench = Bench()
    bench.append(tick(T0_MS))
    bench.log.append_raw(topic, b"u1", value, headers)
    bench.append(impression("next"))
    bench.step()
    (record,) = bench.records("dead-letters")
    letter = read_dead_letter(record.value, record.headers)
    offset = 0 if topic == "impressions" else 1
    assert (letter.value, letter.topic, letter.partition, letter.offset) == (value, topic, 0, offset)
    assert reason in letter.reason
    assert [shown.impression_id for shown in bench.published()] == ["next"]
    assert bench.counted("dead_letters") == {topic: 1}
    assert bench.log.progress(0).next[topic] == 2


def test_an_event_exactly_as_far_ahead_as_allowed_is_taken():
    bench = Bench(log=MemoryLog(clock=lambda: T0_MS))
    bench.append(impression(ts_ms=T0_MS + 60_000))
    bench.step()
    assert len(bench.published()) == 1


def test_what_another_policy_showed_is_not_decided_but_learned_from():
    logged = Logged(item_ids=("c", "a"), propensities=(0.5, None), policy="editor")
    bench = Bench()
    bench.append(impression(slots=2, logged=logged), click(item="c"), click(item="b"), tick(T0_MS + 1_000))
    assert bench.core.poll() == []
    bench.core.publish([])
    assert bench.published() == []
    (outcome,) = bench.outcomes()
    shown = outcome.recommendation
    assert (shown.strategy, shown.policy_version, outcome.rewards) == ("logged", "editor", (1.0, 0.0))
    assert [(slot.item_id, slot.propensity) for slot in shown.slate] == [("c", 0.5), ("a", None)]
    assert bench.counted("impressions") == {"logged": 1}
    assert bench.counted("clicks") == {"joined": 1, "not_shown": 1, "early": 1, "unknown": 1}


def test_late_repeated_and_too_old_impressions_are_counted_and_not_decided():
    bench = Bench(decide_deadline_ms=2_000)
    bench.append(impression(), impression())
    bench.step()
    bench.append(tick(T0_MS + 1_000))
    bench.step()
    bench.clock.now_ms = T0_MS + 2_002
    bench.append(impression(), impression("i2", T0_MS + 1), impression("i3", T0_MS + 2))
    bench.step()
    assert [shown.impression_id for shown in bench.published()] == ["i1", "i3"]
    assert bench.counted("impressions") == {"new": 2, "repeated": 1, "late": 1, "too_old": 1}


def test_what_becomes_of_clicks_is_counted():
    bench = Bench()
    bench.append(click("i2", T0_MS + 10), impression(), impression("i2"))
    bench.step()
    bench.append(click(), click(), click(item="d"), click(ts_ms=T0_MS - 1), click("i3"))
    bench.step()
    bench.append(tick(T0_MS + 5_000))
    bench.step()
    bench.append(click())
    bench.step()
    assert bench.counted("clicks") == {
        "early": 3,  # that of i2, that of i3, the tick
        "joined": 2,
        "repeated": 1,
        "not_shown": 1,
        "outside_window": 1,
        "unknown": 2,  # those of i3 and the tick, whose impressions never came
        "late": 1,
    }


def test_the_value_of_a_uniform_choice_is_estimated_from_propensities():
    bench = Bench()
    bench.append(impression(), impression("i2", candidates=candidates("a", "b")), click("i2"))
    bench.step()
    bench.core.publish([], final=True)
    counters = bench.meter.counters
    # uniform among four and among two: weights 1 / (4 * 1/4) and 1 / (2 * 1/2)
    assert counters["uniform_weight", ""] == pytest.approx(2.0)
    assert counters["uniform_reward", ""] == pytest.approx(1.0)
    assert (counters["rewarded", ""], counters["reward", ""]) == (2, 1)
    assert counters["exploration", ""] == pytest.approx(3 / 4 + 1 / 2)


# Positions


def test_the_commit_says_how_far_it_read_and_from_where_the_open_can_be_rebuilt():
    bench = Bench()
    bench.append(impression(), click(), impression("i2", T0_MS + 500), click("i2", T0_MS + 600))
    bench.step(max_records=2)
    low = {"impressions": 0, "clicks": 0, "recommendations": 0}
    assert bench.log.progress(0) == Progress(next={"impressions": 1, "clicks": 1}, low=low, watermark_ms=T0_MS)
    bench.step()
    bench.append(tick(T0_MS + 1_000))
    bench.step()  # i1 is closed, i2 is open
    low = {"impressions": 1, "clicks": 1, "recommendations": 1}
    assert bench.log.progress(0) == Progress(next={"impressions": 2, "clicks": 3}, low=low, watermark_ms=T0_MS + 1_000)
    bench.append(tick(T0_MS + 2_000))
    bench.step()
    bench.append(tick(T0_MS + 2_001))
    bench.step()  # nothing is open: the first thing a replay would read is the next one
    now = bench.log.progress(0)
    assert now.next == {"impressions": 2, "clicks": 5}
    assert (now.low["impressions"], now.low["recommendations"]) == (2, 2)
    assert now.low["clicks"] >= 3


# Failures and restarts


class FailingLog(MemoryLog):
    """A memory log whose next commit, or next look at the recommendations, fails as a broker's would."""

    fail_commit = fail_end = False

    def settle(self, unit, progress):
        if self.fail_commit:
            self.fail_commit = False
            self.drop(unit)
            raise CommitFailedError("transaction must take its events and positions; got a timeout")
        return super().settle(unit, progress)

    def end(self, topic, partition):
        if self.fail_end:
            self.fail_end = False
            raise LogUnavailableError("log must answer in time; got nothing")
        return super().end(topic, partition)


def test_after_a_failed_commit_the_next_poll_starts_again_and_nothing_is_lost_or_doubled():
    bench = Bench(log=FailingLog())
    bench.append(impression(), click())
    bench.step()
    bench.append(click(ts_ms=T0_MS + 200), impression("i2", T0_MS + 300), tick(T0_MS + 1_300))
    bench.log.append_raw("clicks", b"u1", b"{")
    bench.log.fail_commit = True
    with pytest.raises(CommitFailedError):
        bench.step()
    assert len(bench.published()) == 1
    assert bench.outcomes() == bench.records("dead-letters") == []
    bench.step()
    assert [shown.impression_id for shown in bench.published()] == ["i1", "i2"]
    assert [[c.ts_ms for c in outcome.clicks] for outcome in bench.outcomes()] == [[T0_MS + 100, T0_MS + 200], []]
    assert len(bench.records("dead-letters")) == 1


def test_after_a_failed_commit_fewer_records_at_a_time_close_nothing_too_early():
    bench = Bench(log=FailingLog())
    bench.append(impression())
    bench.step()
    bench.append(tick(T0_MS + 1), click(), tick(T0_MS + 1_500), impression("i2", T0_MS + 1_500))
    bench.log.fail_commit = True
    with pytest.raises(CommitFailedError):
        bench.step()
    closed = [each for _ in range(4) for each in bench.step(max_records=1)]
    assert [each.outcome.clicks for each in closed] == [(click(),)]


def test_after_a_failed_commit_an_empty_poll_is_no_error():
    bench = Bench(log=FailingLog())
    bench.append(impression())
    bench.log.fail_commit = True
    with pytest.raises(CommitFailedError):
        bench.step()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.log, "poll", lambda max_records, timeout_ms: [])  # the broker has nothing for us yet
        assert bench.step() == []
    bench.step()
    assert len(bench.published()) == 1


def test_records_polled_while_a_partition_could_not_be_restored_come_again():
    bench = Bench(log=FailingLog())
    bench.append(impression())
    bench.log.fail_end = True
    with pytest.raises(LogUnavailableError):
        bench.step()
    bench.step()
    assert [shown.impression_id for shown in bench.published()] == ["i1"]


def test_an_error_while_a_unit_is_filled_leaves_no_unit_open():
    bench = Bench(log=FailingLog())
    bench.append(impression())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.log, "require_partition", refuse)
        with pytest.raises(LogUnavailableError):
            bench.step()
    bench.step()
    assert len(bench.published()) == 1


def refuse(topic, partition):
    raise LogUnavailableError(f"{topic}[{partition}] must be there; got nothing")


def test_a_restart_restores_open_decisions_without_emitting_and_joins_later_clicks():
    logged = Logged(item_ids=("a",), propensities=(0.5,))
    bench = Bench()
    bench.append(impression("theirs", logged=logged), impression("ours"), impression("ours"), click("ours"))
    bench.step()
    bench.start()
    bench.core.poll()
    assert bench.core.open_decisions == 2
    assert (len(bench.published()), bench.outcomes()) == (1, [])
    bench.append(click("ours", T0_MS + 200), click("theirs"), tick(T0_MS + 1_000))
    bench.step()
    found = {outcome.impression.impression_id: outcome for outcome in bench.outcomes()}
    assert [c.ts_ms for c in found["ours"].clicks] == [T0_MS + 100, T0_MS + 200]
    assert found["ours"].recommendation == bench.published()[0]
    assert found["theirs"].rewards == (1.0,)
    assert len(bench.published()) == 1


def test_a_restart_opens_no_dead_letter_and_nothing_that_was_too_old():
    logged = Logged(item_ids=("a",))
    bench = Bench(decide_deadline_ms=5_000)
    bench.clock.now_ms += 5_000
    bench.append(impression("good"))
    for dead in (
        impression("ahead", T0_MS + 60_001, logged=logged),
        impression("misfit", logged=logged, context=Context(features=(1.0,))),
    ):
        bench.log.append_raw("impressions", b"u1", CODEC.encode(dead))
    bench.append(impression("old", T0_MS - 1))
    bench.step()
    assert bench.counted("impressions") == {"new": 1, "too_old": 1}
    assert bench.counted("dead_letters") == {"impressions": 2}
    bench.start()
    bench.core.poll()
    closed = bench.core.publish([], final=True)
    assert [each.outcome.impression.impression_id for each in closed] == ["good"]


def test_a_restart_keeps_the_watermark_so_that_what_was_late_stays_late():
    bench = Bench()
    bench.append(impression(), tick(T0_MS + 1_000))
    bench.step()
    bench.start()
    bench.append(impression())
    bench.step()
    assert bench.counted("impressions") == {"late": 1}
    assert len(bench.published()) == 1


def test_each_partition_has_a_time_of_its_own():
    users = {}
    bench = Bench(partitions=2)
    for number in range(20):
        bench.append(impression(user=f"u{number}"))
    bench.step()
    for partition in (0, 1):
        users[partition] = [shown.user_id for shown in bench.published(partition)]
    bench.append(tick(T0_MS + 1_000, user=users[1][0]))
    closed = bench.step()
    assert sorted(each.outcome.impression.user_id for each in closed) == sorted(users[1])
    assert {each.position.partition for each in closed} == {1}
    assert bench.outcomes(0) == []
    assert bench.log.progress(0).watermark_ms == T0_MS  # its own newest event
