"""Who gets which weights: a whole where nothing can be built on, what was written since elsewhere, once for all."""

import pytest
from support.weights import Group, Runner, assert_decides_alike, put, rows, taught

from agent.rllib.hand_out import HandOut
from stream.meter import Tally


@pytest.fixture
def world():
    learning, tally = taught(), Tally()
    group = Group({index: Runner() for index in (1, 2)})
    return learning, group, HandOut(group, learning.policy, tally, put), tally


def forms(group):
    """Of all weights that each runner was sent, whether they were whole."""
    return {index: [weights.base is None for weights in runner.taken] for index, runner in group.runners.items()}


def test_a_whole_comes_once_then_what_was_written_since(world):
    learning, group, hand_out, tally = world
    for seed in range(3):
        hand_out.send(ended=())
        learning.learn(rows(seed, 30))
    hand_out.send(ended=())
    assert forms(group) == {1: [True, False, False, False], 2: [True, False, False, False]}
    assert (tally.counters["weights_handed_out", "whole"], tally.counters["weights_handed_out", "since"]) == (2, 6)
    whole, since = (tally.counters["weights_bytes", form] for form in ("whole", "since"))
    assert whole == group.runners[1].taken[0].nbytes  # once for both
    assert since == sum(weights.nbytes for weights in group.runners[2].taken[1:])
    for runner in group.runners.values():
        assert_decides_alike(runner.policy, learning.policy)


def test_a_restarted_runner_gets_a_whole_and_the_others_do_not(world):
    learning, group, hand_out, _ = world
    hand_out.send(ended=())
    group.answers, group.runners[2] = group.answers[:1], Runner()
    hand_out.forget(2)
    hand_out.send(ended=())
    assert forms(group) == {1: [True, False], 2: [True]}
    assert_decides_alike(group.runners[2].policy, learning.policy)


def test_a_runner_that_missed_some_is_told_what_it_lacks(world):
    learning, group, hand_out, _ = world
    hand_out.send(ended=())
    for seed in range(2):
        learning.learn(rows(seed, 30))
        group.lost = {2}
        hand_out.send(ended=())
    group.lost = set()
    hand_out.send(ended=())
    assert forms(group) == {1: [True, False, False, False], 2: [True, False]}
    assert_decides_alike(group.runners[2].policy, learning.policy)


def test_after_a_refresh_all_get_a_whole(world):
    learning, group, hand_out, _ = world
    hand_out.send(ended=())
    learning._refresh(first=True)
    hand_out.send(ended=())
    assert forms(group) == {1: [True, True], 2: [True, True]}


def test_after_a_new_epoch_all_get_a_whole(world):
    learning, group, hand_out, _ = world
    hand_out.send(ended=())
    learning.policy.epoch.add_(1)
    hand_out.send(ended=())
    assert forms(group) == {1: [True, True], 2: [True, True]}


def test_who_has_ended_gets_nothing_more(world):
    _, group, hand_out, tally = world
    hand_out.send(ended=(2,))
    assert forms(group) == {1: [True], 2: []}
    hand_out.send(ended=(1, 2))
    assert tally.counters["weights_handed_out", "whole"] == 1


def test_evicted_rows_are_counted_by_table(world):
    learning, _, hand_out, tally = world
    hand_out.send(ended=())
    before = {name: amount for (counter, name), amount in tally.counters.items() if counter == "rows_evicted"}
    for seed in range(30, 34):
        learning.learn(rows(seed, 250))
    hand_out.send(ended=())
    for name in ("expert.items", "recent.items", "users"):
        assert tally.counters["rows_evicted", name] >= before.get(name, 0) + 1_024 // 16
