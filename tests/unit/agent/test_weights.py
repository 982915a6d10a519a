"""What travels to a runner: all that deciding reads, nothing else, and of the tables only what was written since."""

from copy import deepcopy
from typing import get_args

import numpy as np
import pytest
import torch
from support.learning_rows import LAYOUT
from support.weights import SETTINGS, Runner, assert_decides_alike, rows, taught

from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.policy import Policy
from agent.rllib.module import BanditModule
from agent.rllib.weights import Revision, Weights, tables_of, unread
from agent.settings import ExploreSettings

STRATEGIES = get_args(ExploreSettings.model_fields["strategy"].annotation)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_deciding_reads_nothing_that_is_left_out(strategy):
    learner = taught().policy
    runner = Policy(
        SETTINGS.model_copy(update={"explore": SETTINGS.explore.model_copy(update={"strategy": strategy})}), LAYOUT
    )
    for name, buffer in runner.named_buffers():
        if unread(name):
            buffer.fill_(torch.nan if buffer.is_floating_point() else -1)
    Weights.of(learner).into(runner)
    reference = deepcopy(runner)
    reference.load_state_dict(learner.state_dict())
    inputs, counts_B = inputs_of_rows(rows(3, 40)), np.full(10, 4)
    one, other = (p.belief(inputs, counts_B, *p.score(inputs)) for p in (reference, runner))
    for field in ("logit_N", "sd_N", "samples_MN", "item_rows_N", "item_reward_N", "rows"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert np.isfinite(other.logit_N).all()
    assert runner.version == learner.version


def test_every_buffer_that_is_left_out_exists():
    names = [name for name, _ in Policy(SETTINGS, LAYOUT).named_buffers()]
    left_out = {name for name in names if unread(name)}
    assert {"expert.precision", "recent.covariance", "network.first_inner", "stack.precision", "change.sum"} <= left_out
    assert not left_out & {"expert.covariance", "recent.mean", "network.weight_inner", "stack.weight", "expert.clock"}


def test_what_travels_since_a_revision_does_not_grow_with_the_tables():
    small, large = Learning(Policy(SETTINGS, LAYOUT)), taught()
    small.learn(rows(0, 64))
    sizes = []
    for learner in (small, large):
        base = Revision.of(learner.policy)
        learner.learn(rows(1, 50, items=50))
        since, whole = Weights.of(learner.policy, base), Weights.of(learner.policy)
        sizes.append((since.nbytes, whole.nbytes))
    assert sizes[1][0] < 1.3 * sizes[0][0]
    assert sizes[1][1] > 4 * sizes[0][1]


def test_weights_are_taken_in_by_a_policy_at_their_base_or_later():
    learner = taught()
    bases, messages = [], []
    for seed in range(3):
        bases.append(Revision.of(learner.policy))
        learner.learn(rows(seed, 60))
        messages.append(Weights.of(learner.policy, bases[0]))
    for taken in ((0, 1, 2), (1, 2), (0, 2), (2,), (2, 2)):
        fresh = taught().policy
        for number in taken:
            deepcopy(messages[number]).into(fresh)
        assert_decides_alike(fresh, learner.policy)


def test_an_inbox_takes_what_builds_on_what_it_has_and_refuses_the_rest():
    learner, runner = taught(), Runner(lazy=True)
    start = Revision.of(learner.policy)
    whole = deepcopy(Weights.of(learner.policy))
    learner.learn(rows(1, 60))
    later = Revision.of(learner.policy)
    first = deepcopy(Weights.of(learner.policy, start))
    learner.learn(rows(2, 60))
    second, ahead = (deepcopy(Weights.of(learner.policy, base)) for base in (start, later))

    assert runner.take_weights(second) is None  # it has nothing
    assert not runner.inbox.open(runner.policy)
    assert runner.take_weights(whole) == start  # waits, and yet can be built on
    assert runner.take_weights(ahead) == start  # refused
    assert [weights.base for weights in runner.inbox._waiting] == [None]
    assert runner.take_weights(first) == start
    assert runner.take_weights(second) == start  # in place of the one before
    assert not runner.inbox.emptied.is_set()
    assert runner.inbox.open(runner.policy)
    assert runner.inbox.emptied.is_set()
    assert runner.inbox.base == Revision.of(learner.policy)
    assert_decides_alike(runner.policy, learner.policy)


def test_another_epoch_can_not_be_built_on():
    learner, runner = taught(), Runner()
    start = runner.take_weights(deepcopy(Weights.of(learner.policy)))
    learner.policy.epoch.add_(1)
    later = Revision.of(learner.policy)
    assert later.written == start.written
    assert runner.take_weights(Weights.of(learner.policy, later)) == start
    assert int(runner.policy.epoch) == 0


def test_a_state_as_rllib_sends_it_is_a_whole_that_nothing_builds_on():
    learner, runner = taught(), Runner()
    module = BanditModule(
        observation_space=None,
        action_space=None,
        model_config={"settings": SETTINGS.model_dump(), "layout": {"text": 0, "context": 3, "candidate": 4}},
    )
    module.policy.load_state_dict(learner.policy.state_dict())
    state = module.get_state(inference_only=True)
    assert {name for name in module.get_state() if name not in state} == {
        f"policy.{name}" for name in learner.policy.state_dict() if unread(name)
    }
    assert runner.take_weights(Weights.of_state(runner.policy, state)) is None
    assert_decides_alike(runner.policy, learner.policy)
    assert len(tables_of(runner.policy)) == 4
