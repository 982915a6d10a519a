"""The policy as a whole: what its draws are made of."""

import numpy as np
import pytest
import torch
from support.learning_rows import LAYOUT, rows

from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings


def taught(strategy):
    settings = AgentSettings(
        explore={"strategy": strategy, "samples": 4_000},
        expert={"refresh_rows": (256,)},
        network={"steps": 16},
        stack={"expert": 0.5, "network": 0.5, "proof": 0.0},
    )
    learner = Learning(Policy(settings, LAYOUT))
    for seed in range(8):
        learner.learn(rows(seed, 256))
    return learner.policy


@pytest.mark.parametrize("strategy", ["thompson", "neural_thompson"])
def test_draws_lie_around_the_joint_logit_and_are_the_same_for_the_same_weights(strategy):
    policy, inputs = taught(strategy), inputs_of_rows(rows(50, 12))
    logit_N, sd_N = policy.score(inputs)
    drawn_MN = policy.sample(inputs, logit_N)
    assert drawn_MN.shape == (4_000, 12)
    np.testing.assert_allclose(drawn_MN.mean(0), logit_N, atol=0.05)
    assert torch.equal(drawn_MN, policy.sample(inputs, logit_N))
    assert ((drawn_MN.std(0) > 0.2 * sd_N) & (drawn_MN.std(0) < 2 * sd_N)).all()


def test_only_the_neural_one_draws_towers_too():
    linear, neural, inputs = taught("thompson"), taught("neural_thompson"), inputs_of_rows(rows(50, 12))
    logit_N, _ = linear.score(inputs)
    apart_MN = neural.sample(inputs, logit_N) - linear.sample(inputs, logit_N)
    torch.testing.assert_close(apart_MN, apart_MN[:4].repeat(1_000, 1), atol=1e-4, rtol=0)  # one difference a tower
    assert (apart_MN[0] - apart_MN[1]).abs().max() > 0.01
    torch.testing.assert_close(apart_MN.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
