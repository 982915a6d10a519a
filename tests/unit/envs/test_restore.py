"""Rebuilding a partition from its log: what foreign, repeated and uncommitted records may not do to it."""

import logging
from collections import deque

import pytest
from support.core_bench import CODEC, T0_MS, Bench, click, impression, tick

from stream.errors import CommitFailedError
from stream.events import Candidate
from stream.memory import MemoryLog
from stream.settings import AttributionSettings


class LeakyLog(MemoryLog):
    """A log without transactions whose process dies between the events of a commit and its positions."""

    leaks = ()  # the topics whose events land

    def send(self, unit, progress):
        if not self.leaks:
            return super().send(unit, progress)
        for event in unit.events:
            if event[0] in self.leaks:
                self._store.write(*event)
        self.leaks = ()
        self.drop(unit)
        raise CommitFailedError("positions must be committed; the process died")


def crashed(*events, leaks, before=()):
    """A bench whose process died in the commit of `events`, after that of `before` and an impression of its own."""
    bench = Bench(log=LeakyLog())
    bench.append(impression("first"), *before)
    bench.step()
    bench.append(*events)
    bench.log.leaks = leaks
    with pytest.raises(CommitFailedError):
        bench.step()
    bench.start()
    return bench


def names(events):
    return [event.impression_id for event in events]


def outcomes_of(bench):
    return names(outcome.impression for outcome in bench.outcomes())


def test_records_of_others_in_the_recommendations_are_skipped_counted_and_logged(caplog):
    bench = Bench()
    bench.append(impression("i1"), impression("i2"))
    bench.step(max_records=1)
    known = CODEC.encode(bench.published()[0])
    for value in (b"{", b"", b'{"decision_id": "of someone"}'):
        bench.log._store.write("recommendations", 0, b"u1", value, ())
    bench.log._store.write("recommendations", 0, b"u1", known, (("streambandit-schema", b"9"),))
    bench.step()
    bench.start()
    with caplog.at_level(logging.WARNING, "streambandit"):
        bench.core.poll()
    assert (bench.core.open_decisions, bench.counted("restore_skipped")) == (2, {"open_decisions": 4})
    assert "4 records of our outputs cannot be read" in caplog.text


def test_what_was_decided_and_not_committed_is_not_decided_again():
    bench = crashed(impression("i2", T0_MS + 10), impression("i3", T0_MS + 20), leaks=("recommendations",))
    shown = bench.published()
    assert names(shown) == ["first", "i2", "i3"]
    assert bench.core.poll() == []
    bench.append(impression("i4", T0_MS + 30), click("i2", T0_MS + 300))
    bench.step()
    assert bench.counted("impressions") == {"decided": 2, "new": 1}
    assert names(bench.published()) == ["first", "i2", "i3", "i4"]
    bench.append(tick(T0_MS + 3_000))
    bench.step()
    found = {outcome.impression.impression_id: outcome for outcome in bench.outcomes()}
    assert found["i2"].recommendation == shown[1]
    assert found["i2"].rewards == (1.0,)
    assert sorted(found) == ["first", "i2", "i3", "i4"]


def test_of_two_recommendations_of_one_decision_the_first_counts():
    bench = crashed(impression("i2", T0_MS + 10), leaks=("recommendations",))
    again = bench.records("recommendations")[1]
    other = again.value.replace(b'"seed":5', b'"seed":6')
    bench.log._store.write("recommendations", 0, again.key, other, again.headers)
    bench.append(tick(T0_MS + 3_000))
    bench.step()
    bench.step()
    assert [outcome.recommendation.seed for outcome in bench.outcomes()] == [5, 5]


def test_a_decision_that_came_before_a_second_crash_is_still_known_after_it():
    bench = crashed(impression("i2", T0_MS + 10), leaks=("recommendations",))
    with pytest.MonkeyPatch.context() as patch:  # a click comes, and is committed, before the impression comes again
        patch.setattr(bench.log, "_waiting", deque())
        bench.append(click("first"))
        bench.step()
    bench.start()
    bench.step()
    assert names(bench.published()) == ["first", "i2"]
    assert bench.counted("impressions") == {"decided": 1}


@pytest.mark.parametrize("leaks", [("outcomes",), ("recommendations", "outcomes")])
def test_what_closed_and_was_not_committed_does_not_close_twice(leaks):
    bench = crashed(click("first"), impression("i2", T0_MS + 1), tick(T0_MS + 5_000), leaks=leaks)
    assert outcomes_of(bench) == ["first", "i2"]
    for _ in range(3):
        bench.step()
    bench.start()
    bench.append(impression("first"), impression("i2", T0_MS + 1))
    bench.step()
    bench.core.publish([], final=True)
    assert outcomes_of(bench) == ["first", "i2"]
    assert set(bench.counted("impressions")) == {"late"}


def test_of_two_records_of_one_impression_the_valid_one_was_decided():
    bench = Bench()
    valid = impression("i1")
    misfit = impression("i1", candidates=(Candidate(item_id="a", features=(1.0, 2.0, 3.0)),))
    bench.append(impression("first"))
    bench.step()
    bench.append(misfit, valid)
    bench.step()
    assert bench.counted("dead_letters") == {"impressions": 1}
    bench.start()
    bench.step()
    assert bench.core.open_decisions == 2
    bench.core.publish([], final=True)
    assert [each.impression for each in bench.outcomes()][1] == valid


def test_what_closed_for_want_of_memory_stays_closed_and_early_clicks_wait_on():
    room = AttributionSettings(window_ms=60_000, out_of_order_ms=1_000, max_open_bytes=1_500)
    bench = Bench(attribution=room)
    bench.append(*(impression(f"i{number}", T0_MS + number) for number in range(6)))
    bench.step()
    closed = outcomes_of(bench)
    assert 0 < len(closed) < 6
    assert bench.counted("forced_closes") == {"": len(closed)}
    assert bench.meter.levels["open_bytes"] <= 1_500
    bench.append(click("next", T0_MS + 50))
    bench.step()
    bench.start()
    bench.append(impression("i0", T0_MS), impression("next", T0_MS + 40))
    bench.step()
    assert bench.counted("impressions") == {"late": 1, "new": 1}
    bench.core.publish([], final=True)
    rewards = {outcome.impression.impression_id: outcome.rewards for outcome in bench.outcomes()}
    assert sorted(rewards) == ["i0", "i1", "i2", "i3", "i4", "i5", "next"]
    assert rewards["next"] == (1.0,)


def test_impressions_that_were_not_decided_stay_so_however_many():
    bench = Bench(decide_deadline_ms=1_000)
    bench.append(*(impression(f"i{number}", T0_MS + number) for number in range(5)))
    bench.step()
    bench.clock.now_ms += 1_010
    bench.append(*(impression(f"old{number}", T0_MS + number) for number in range(5)))
    bench.step()
    bench.start()
    bench.core.poll()
    assert bench.core.open_decisions == 5
