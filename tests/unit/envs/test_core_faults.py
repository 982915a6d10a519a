"""The core over a real memory log: what a commit says, and what failures and restarts cannot change."""

import pytest
from support.core_bench import CODEC, T0_MS, Bench, FailingLog, LateLog, click, first_of, impression, tick

from stream.errors import CommitFailedError, LogUnavailableError
from stream.events import Context, Logged
from stream.log import Progress


def test_the_commit_says_how_far_it_read_and_from_where_the_open_can_be_rebuilt():
    bench = Bench()
    bench.append(impression(), click(), impression("i2", T0_MS + 500), click("i2", T0_MS + 600))
    bench.step(max_records=2)
    low = {"impressions": 0, "clicks": 0, "recommendations": 0, "outcomes": 0}
    assert bench.log.progress(0) == Progress(next={"impressions": 1, "clicks": 1}, low=low, watermark_ms=T0_MS)
    bench.step()
    bench.append(tick(T0_MS + 1_000))
    bench.step()  # i1 is closed, i2 is open
    low = {"impressions": 1, "clicks": 1, "recommendations": 1, "outcomes": 0}
    assert bench.log.progress(0) == Progress(next={"impressions": 2, "clicks": 3}, low=low, watermark_ms=T0_MS + 1_000)
    bench.append(tick(T0_MS + 2_000))
    bench.step()
    bench.append(tick(T0_MS + 2_001))
    bench.step()  # nothing is open: the first thing a replay would read is the next one
    now = bench.log.progress(0)
    assert now.next == {"impressions": 2, "clicks": 5}
    assert (now.low["impressions"], now.low["recommendations"]) == (2, 2)
    assert now.low["clicks"] >= 3


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


def test_of_a_partition_that_goes_while_a_unit_is_on_its_way_the_next_owner_tells_what_closed():
    bench = Bench(partitions=2)  # whose units have landed as soon as they are sent
    users = [f"u{number}" for number in range(6)]
    bench.append(*(impression(user=user) for user in users))
    bench.step()
    bench.append(*(tick(T0_MS + 1_000, user) for user in users))
    bench.core.poll()
    bench.core.send([])
    bench.log._assignment = frozenset({0})
    bench.core.poll()
    told = bench.core.land()
    assert {each.position.partition for each in told} == {0}
    assert len(told) == len(bench.outcomes(0)) < 6
    assert len(bench.outcomes(0)) + len(bench.outcomes(1)) == 6  # all of it is committed
    assert bench.counted("outcomes") == {"": 6}
    assert bench.core.outcome_frontier() == {0: len(told)}


def test_of_a_unit_that_was_set_back_on_its_way_nothing_is_told_though_it_landed():
    bench = Bench(log=LateLog())
    bench.append(impression(), tick(T0_MS + 1_000))
    bench.core.poll()
    bench.core.send([first_of(impression())])
    bench.core.sent.unit.landed()
    bench.core.restart()
    assert bench.core.land() == []
    bench.core.poll()
    assert (bench.core.outcome_frontier(), len(bench.outcomes())) == ({0: 1}, 1)
