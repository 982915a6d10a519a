"""The small network and the stack that says how much it counts."""

import numpy as np
import pytest
import torch

from agent.network import Towers
from agent.settings import NetworkSettings, StackSettings
from agent.stack import Stack


def rows(seed, count):
    """Rewards that no product of features tells: of a number of the context its size counts, not its sign."""
    random = torch.Generator().manual_seed(seed)
    context_RI = torch.randn(count, 3, generator=random)
    item_RJ = torch.randn(count, 4, generator=random)
    odds_R = -1.0 + 2.0 * (context_RI[:, 0].abs() - 0.8) * item_RJ[:, 0]
    reward_R = (torch.rand(count, generator=random) < torch.sigmoid(odds_R)).float()
    return context_RI, item_RJ, reward_R, odds_R


def trained(steps, **settings):
    network = Towers(NetworkSettings(**settings), 3, 4)
    network.restart(0.3)
    everything = rows(0, 4_000)
    random = np.random.default_rng(0)
    for _ in range(steps):
        chosen = random.integers(0, 4_000, 256)
        network.step(*(column[chosen] for column in everything[:3]), torch.ones(settings.get("towers", 4), 256))
    return network


def test_it_learns_what_no_product_of_features_tells():
    context_RI, item_RJ, _, odds_R = rows(1, 2_000)
    told = trained(600)(context_RI, item_RJ)
    assert np.corrcoef(told, odds_R)[0, 1] > 0.8


def test_before_it_learned_it_says_about_the_base_rate():
    context_RI, item_RJ, _, _ = rows(1, 2_000)
    network = Towers(NetworkSettings(), 3, 4)
    network.restart(0.2)
    assert torch.sigmoid(network(context_RI, item_RJ)).mean().item() == pytest.approx(0.2, abs=0.04)


def test_a_step_whose_gradient_is_not_finite_changes_nothing():
    network = trained(5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    context_RI, item_RJ, reward_R, _ = rows(2, 256)
    context_RI[3, 1] = torch.inf
    network.step(context_RI, item_RJ, reward_R, torch.ones(4, 256))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_first_steps_are_small_and_no_step_is_long():
    warm, cold = trained(1, warm_up=1), trained(1, warm_up=100)
    fresh = Towers(NetworkSettings(), 3, 4)
    fresh.restart(0.3)
    moved = [float((each.weight_outer - fresh.weight_outer).abs().max()) for each in (warm, cold)]
    assert moved[0] == pytest.approx(1e-3, rel=0.2)  # the first step of Adam is the learning rate
    assert moved[1] == pytest.approx(1e-5, rel=0.2)


def test_all_of_it_is_saved_and_goes_on_identically():
    network = trained(20)
    again = Towers(NetworkSettings(), 3, 4)
    again.load_state_dict(network.state_dict())
    for each in (network, again):
        each.step(*rows(5, 256)[:3], torch.ones(4, 256))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())


def test_contributions_and_offsets_make_up_the_logit():
    network = trained(20)
    context_NI, item_NJ = rows(5, 30)[:2]
    logit_N = network.contributions(context_NI, item_NJ).sum(dim=1) + network.weight_offset.mean()
    torch.testing.assert_close(logit_N, network(context_NI, item_NJ), atol=1e-5, rtol=1e-5)


# The stack


def said(seed, count, skill):
    """Two members: one who knows the odds, one who knows them with `skill`; and rewards."""
    random = torch.Generator().manual_seed(seed)
    odds_R = torch.randn(count, generator=random) - 1.0
    noise_R = 2.0 * torch.randn(count, generator=random) - 1.0
    reward_R = (torch.rand(count, generator=random) < torch.sigmoid(odds_R)).float()
    return torch.stack([noise_R if skill == 0 else odds_R, odds_R if skill == 0 else noise_R], dim=1), reward_R


@pytest.mark.parametrize("skill", [0, 1])
def test_the_member_who_knows_gets_the_weight(skill):
    stack = Stack(StackSettings(expert=0.7, recent=0.3), network=False)
    for seed in range(40):
        stack.learn(*said(seed, 256, skill))
    knows, guesses = stack.weight[1 - skill], stack.weight[skill]
    assert knows > 0.85
    assert guesses < 0.1
    assert (stack.weight >= 0).all()


def test_without_evidence_the_weights_are_the_prior_and_they_return_to_it():
    stack = Stack(StackSettings(expert=0.7, recent=0.3, memory_rows=10), network=False)
    logit_NM = torch.tensor([[1.0, 2.0], [100.0, -100.0]])
    torch.testing.assert_close(stack(logit_NM), torch.tensor([1.3, 0.7 * 6.0 - 0.3 * 8.0]))
    stack.learn(*said(0, 256, 0))
    for _ in range(50):
        stack.learn(torch.zeros(256, 2), torch.full((256,), 0.5))
    torch.testing.assert_close(stack.weight, torch.tensor([0.7, 0.3], dtype=torch.float64))


def members(seed, count, network):
    """Two experts who know half of the odds, and what a network says of the whole; and rewards."""
    random = torch.Generator().manual_seed(seed)
    known_R, hidden_R = torch.randn(2, count, generator=random)
    reward_R = (torch.rand(count, generator=random) < torch.sigmoid(known_R + hidden_R - 2.0)).float()
    said_R = network(known_R, hidden_R)
    return torch.stack([known_R - 2.0, torch.zeros(count), said_R], dim=1), reward_R


def test_a_network_counts_once_it_has_proved_itself():
    stack = Stack(StackSettings(), network=True, proof=20.0)
    weights = []
    for seed in range(20):
        stack.learn(*members(seed, 256, lambda known, hidden: known + hidden - 2.0))
        weights.append((float(stack.saved), float(stack.weight[2])))
    before = [weight for saved, weight in weights if saved <= 20.0]
    after = [weight for saved, weight in weights if saved > 20.0]
    assert before
    assert set(before) == {0.0}
    assert min(after) > 0.1
    assert after[-1] > 0.3


def test_a_network_that_mends_a_common_error_alone_does_not_count():
    stack = Stack(StackSettings(), network=True, proof=20.0)
    for seed in range(40):
        logit_RM, reward_R = members(seed, 256, lambda known, hidden: torch.full_like(known, -1.0) + 0.0 * hidden)
        logit_RM[:, 0] += 1.5  # the expert says too much, everywhere
        stack.learn(logit_RM, reward_R)
    assert float(stack.saved) < 20.0
    assert float(stack.weight[2]) == 0.0


def test_without_a_proof_asked_for_a_network_counts_from_the_start():
    stack = Stack(StackSettings(network=0.3), network=True, proof=0.0)
    assert float(stack.weight[2]) == pytest.approx(0.3)
