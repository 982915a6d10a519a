"""What a core knows of users: the same after a restart, once after a failed commit, and under pseudonyms."""

import numpy as np
import pytest
from support.core_bench import T0_MS, Bench, FailingLog, candidates, click, impression, tick

from stream.errors import CommitFailedError
from stream.identity import Pseudonyms, decision_id

NOTHING = np.zeros(1, np.float32)


def known(bench, user="u1"):
    return bench.users_of().read(user, T0_MS + 5_000, NOTHING)


def clicked_one_closed_one_open(bench):
    """`i1` closed with a click, `i2` without one; `i3` is open with a click."""
    bench.append(impression("i1"), impression("i2"))
    bench.append(click("i1", T0_MS + 10))
    bench.step()
    bench.append(impression("i3", T0_MS + 1_500), click("i3", T0_MS + 1_600))
    bench.step()


def test_after_a_restart_as_much_is_known_as_before():
    bench = Bench()
    clicked_one_closed_one_open(bench)
    before = known(bench)
    assert (before.clicks, before.decisions) == (2, 1)
    bench.start()
    bench.step()
    assert known(bench) == before
    bench.core.publish([], final=True)
    assert known(bench).clicks == 2


def test_a_batch_that_failed_to_commit_counts_once():
    bench = Bench(FailingLog())
    bench.append(impression("i1"), click("i1", T0_MS + 10), tick(T0_MS + 3_000))
    bench.log.fail_commit = True
    with pytest.raises(CommitFailedError):
        bench.step()
    bench.step()
    assert known(bench).clicks == 1


def test_an_outcome_that_cannot_be_read_is_left_out_and_counted():
    bench = Bench()
    clicked_one_closed_one_open(bench)
    unit = bench.log.begin()
    unit.publish("outcomes", 0, b"x", b"not an outcome")
    unit.commit({})
    bench.start()
    bench.step()
    assert known(bench).clicks == 2
    assert bench.counted("restore_skipped") == {"open_decisions": 1, "users": 1}


class Named(Bench):
    """A bench whose users go by pseudonyms inside."""

    pseudonyms = Pseudonyms(b"a key of some length")


def test_with_pseudonyms_only_inputs_and_recommendations_hold_the_id():
    bench = Named()
    clicked_one_closed_one_open(bench)
    bench.append(impression("i4", T0_MS + 1_700, user="u1", candidates=candidates("a", "b")))
    bench.step()
    key = Named.pseudonyms("u1")
    assert {shown.user_id for shown in bench.published()} == {"u1"}
    assert [shown.decision_id for shown in bench.published()][:1] == [decision_id(key, "i1")]
    outcomes = bench.outcomes()
    assert {o.impression.user_id for o in outcomes} == {o.recommendation.user_id for o in outcomes} == {key}
    assert {c.user_id for o in outcomes for c in o.clicks} == {key}
    assert [o.recommendation.decision_id for o in outcomes] == [decision_id(key, name) for name in ("i1", "i2")]
    assert all(b'"u1"' not in record.value and record.key == key.encode() for record in bench.records("outcomes"))
    assert known(bench, "u1").clicks == 0
    assert known(bench, key).clicks == 2


def test_with_pseudonyms_a_restart_finds_its_decisions_and_users_again():
    bench = Named()
    clicked_one_closed_one_open(bench)
    key = Named.pseudonyms("u1")
    before = known(bench, key)
    bench.start()
    assert bench.step() == []
    assert known(bench, key) == before
    assert bench.core.open_decisions == 1
    bench.core.publish([], final=True)
    assert [o.recommendation.decision_id for o in bench.outcomes()][-1] == decision_id(key, "i3")
