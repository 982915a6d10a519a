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


def test_only_the_neural_one_draws_the_last_layer_of_the_network_too():
    linear, neural, inputs = taught("thompson"), taught("neural_thompson"), inputs_of_rows(rows(50, 12))
    logit_N, _ = linear.score(inputs)
    apart_MN = neural.sample(inputs, logit_N) - linear.sample(inputs, logit_N)
    read = neural.read(inputs)
    crossing = (torch.from_numpy(side[:, 1:]) for side in (read.context_NI, read.item_NJ))
    contribution_NH = neural.network.contributions(*crossing)
    covariance_HH = torch.linalg.inv(neural.last_layer.precision).float()
    variance_N = float(neural.stack.weight[-1]) ** 2 * ((contribution_NH @ covariance_HH) * contribution_NH).sum(1)
    assert (variance_N > 1e-4).all()
    np.testing.assert_allclose(apart_MN.var(0), variance_N, rtol=0.15)
    np.testing.assert_allclose(apart_MN.mean(0), np.zeros(12), atol=0.1 * float(variance_N.max()) ** 0.5)


def test_evidence_makes_the_last_layer_surer():
    few, many = taught("neural_thompson"), taught("neural_thompson")
    for seed in range(8, 16):
        many.learn(rows(seed, 256))
    variances = [torch.linalg.inv(each.last_layer.precision).trace() for each in (few, many)]
    assert variances[1] < variances[0] < len(few.last_layer.precision)
