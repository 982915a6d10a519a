"""The Bayesian logistic expert against a direct, dense computation in numpy, and its prior and memory by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from agent.expert import BayesianLogistic, Sides, Weighted
from agent.settings import ExpertSettings

I, J, S = 3, 4, 1  # context side, item side, of which one similarity  # noqa: E741 - the names of the axes
D = I * J


def expert(**settings):
    return BayesianLogistic(ExpertSettings(**settings), I, J, S)


def rows(seed, count):
    """Sides with their leading 1, and rewards that depend on them."""
    random = np.random.default_rng(seed)
    context_RI = np.concatenate([np.ones((count, 1)), random.normal(size=(count, I - 1))], axis=1).astype(np.float32)
    item_RJ = np.concatenate([np.ones((count, 1)), random.normal(size=(count, J - 1))], axis=1).astype(np.float32)
    odds_R = -1.0 + item_RJ[:, 1] + context_RI[:, 1] * item_RJ[:, 2]
    reward_R = (random.random(count) < sigmoid(odds_R)).astype(np.float32)
    return context_RI, item_RJ, reward_R


def learn(model, context_RI, item_RJ, reward_R):
    model.learn(*map(torch.from_numpy, (context_RI, item_RJ, reward_R)))
    return model


def crossed(context_RI, item_RJ):
    return np.einsum("ri,rj->rij", context_RI, item_RJ).reshape(len(context_RI), D).astype(np.float64)


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


class Dense:
    """The same posterior, straight from the formulas: a mean and a covariance over all d weights."""

    def __init__(self, model):
        self.prior_precision = np.diag(model.prior_precision.numpy())
        self.prior_eta = model.prior_eta.numpy().copy()
        self.precision, self.eta = self.prior_precision.copy(), self.prior_eta.copy()

    def learn(self, context_RI, item_RJ, reward_R, memory_rows=100_000.0):
        features = crossed(context_RI, item_RJ)
        keep = 0.5 ** (len(features) / memory_rows)
        self.precision = keep * self.precision + (1 - keep) * self.prior_precision
        self.eta = keep * self.eta + (1 - keep) * self.prior_eta
        start = np.linalg.solve(self.precision, self.eta)
        step = np.linalg.solve(*self._with_evidence(features, start, reward_R))
        self.precision, self.eta = self._with_evidence(features, step, reward_R)

    def _with_evidence(self, features, weights, reward_R):
        odds = features @ weights
        p = sigmoid(odds)
        h = np.maximum(p * (1 - p), 1e-3)
        precision = self.precision + features.T @ np.diag(h) @ features
        return precision, self.eta + features.T @ (reward_R - p + h * odds)

    @property
    def mean(self):
        return np.linalg.solve(self.precision, self.eta)

    def logit_and_sd(self, context_I, item_KJ):
        features = crossed(np.repeat(context_I[None], len(item_KJ), 0), item_KJ)
        covariance = np.linalg.inv(self.precision)
        return features @ self.mean, np.sqrt(np.einsum("kd,de,ke->k", features, covariance, features))


@pytest.mark.parametrize("batches", [(64,), (64, 1, 200), (0, 5)])
def test_mean_and_variance_are_those_of_the_dense_computation(batches):
    model = expert()
    dense = Dense(model)
    for seed, count in enumerate(batches):
        batch = rows(seed, count)
        learn(model, *batch)
        dense.learn(*batch)
    np.testing.assert_allclose(model.precision, dense.precision, rtol=1e-6)
    np.testing.assert_allclose(model.mean, dense.mean, rtol=1e-4, atol=1e-5)
    context_BI, item_NJ, _ = rows(9, 5)
    logit, sd = model.score(torch.from_numpy(context_BI[:1]), torch.from_numpy(item_NJ), [5])
    expected_logit, expected_sd = dense.logit_and_sd(context_BI[0], item_NJ)
    np.testing.assert_allclose(logit, expected_logit, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sd, expected_sd, rtol=1e-4)


def test_after_small_batches_the_mean_is_near_the_true_maximum():
    model = expert()
    batches = [rows(seed, 32) for seed in range(40)]
    for batch in batches:
        learn(model, *batch)
    context_RI, item_RJ, reward_R = (np.concatenate(column) for column in zip(*batches, strict=True))
    features = crossed(context_RI, item_RJ)
    prior_mean = model.prior_eta.numpy() / model.prior_precision.numpy()
    best = model.mean.double().numpy()
    for _ in range(30):  # Newton's method on the log posterior of everything at once
        p = sigmoid(features @ best)
        slope = features.T @ (reward_R - p) - model.prior_precision.numpy() * (best - prior_mean)
        curvature = (features * (p * (1 - p))[:, None]).T @ features + np.diag(model.prior_precision.numpy())
        best += np.linalg.solve(curvature, slope)
    sd = np.sqrt(np.diag(np.linalg.inv(curvature)))
    assert np.abs((model.mean.numpy() - best) / sd).max() < 0.5  # half a posterior deviation, in 12 weights


def test_scores_of_ragged_decisions_are_those_of_each_decision_alone():
    model = learn(expert(), *rows(0, 300))
    counts = [3, 1, 5, 2]
    context_BI, _, _ = map(torch.from_numpy, rows(1, len(counts)))
    _, item_NJ, _ = map(torch.from_numpy, rows(2, sum(counts)))
    logit, sd = model.score(context_BI, item_NJ, counts)
    parts = list(zip(context_BI, torch.split(item_NJ, counts), counts, strict=True))
    alone = [model.score(context_I[None], items, [count]) for context_I, items, count in parts]
    torch.testing.assert_close(logit, torch.cat([each for each, _ in alone]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sd, torch.cat([each for _, each in alone]), rtol=1e-5, atol=1e-6)
    of_row = torch.repeat_interleave(context_BI, torch.tensor(counts), dim=0)
    torch.testing.assert_close(model.logit(of_row, item_NJ), logit, rtol=1e-5, atol=1e-6)


def test_decisions_of_equal_length_take_another_path_to_the_same_scores():
    model = learn(expert(), *rows(0, 300))
    context_BI, item_NJ, _ = map(torch.from_numpy, rows(1, 8))
    even = model.score(context_BI[:2], item_NJ, [4, 4])
    ragged = model.score(context_BI[[0, 1, 1]], item_NJ, [4, 1, 3])
    torch.testing.assert_close(even, ragged, rtol=1e-5, atol=1e-6)


def test_the_prior_gives_each_group_its_share_of_the_variance():
    model = expert(sd_cross=0.7, sd_item=0.6, sd_similarity=1.1, sd_context=0.5, sd_intercept=2.0)
    precision_IJ = model.prior_precision.view(I, J).numpy()
    variance_IJ = 1 / precision_IJ
    assert variance_IJ[0, 0] == pytest.approx(2.0**2)
    assert variance_IJ[0, 1:3].sum() == pytest.approx(0.6**2)  # two item features, an even share each
    assert variance_IJ[0, 3] == pytest.approx(1.1**2)
    assert variance_IJ[1:, 0].sum() == pytest.approx(0.5**2)
    assert variance_IJ[1:, 1:].sum() == pytest.approx(0.7**2)


def test_features_out_of_use_take_no_share_from_those_in_use():
    model = expert(sd_item=0.6, sd_context=0.5)
    sides = Sides(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 0.0, 1.0]), similarities=S)
    model.restart(sides, base_rate=0.1)
    variance_IJ = 1 / model.prior_precision.view(I, J).numpy()
    assert variance_IJ[0, 1] == pytest.approx(0.6**2)
    assert variance_IJ[1, 0] == pytest.approx(0.5**2)


@pytest.mark.parametrize("base_rate", [0.01, 0.05, 0.5])
def test_without_evidence_a_candidate_has_the_base_rate_and_the_doubt_of_the_prior(base_rate):
    model = expert(sd_intercept=2.0, mean_similarity=0.2)
    model.restart(Sides(torch.ones(I), torch.ones(J), S), base_rate)
    one = torch.tensor([[1.0] + [0.0] * (I - 1)])
    logit, sd = model.score(one, torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0]]), [2])
    assert sigmoid(logit[0].item()) == pytest.approx(base_rate, rel=1e-4)
    assert sd[0].item() == pytest.approx(2.0)
    assert (logit[1] - logit[0]).item() == pytest.approx(3 * 0.2, rel=1e-4)  # likeness speaks from the start


def test_a_restart_forgets_everything():
    fresh, used = expert(), learn(expert(), *rows(0, 500))
    used.restart(Sides(torch.ones(I), torch.ones(J), S), base_rate=0.05)
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(used.state_dict()[name], value)


def test_evidence_halves_after_the_rows_of_the_memory_and_in_the_end_the_prior_is_back():
    model = learn(expert(memory_rows=100.0), *rows(0, 200))
    prior = torch.diag(model.prior_precision)
    nothing = (np.zeros((100, I), np.float32), np.zeros((100, J), np.float32), np.zeros(100, np.float32))
    before = (model.precision - prior, model.eta - model.prior_eta)
    learn(model, *nothing)
    torch.testing.assert_close(model.precision - prior, before[0] / 2)
    torch.testing.assert_close(model.eta - model.prior_eta, before[1] / 2)
    for _ in range(40):
        learn(model, *nothing)
    torch.testing.assert_close(model.precision, prior)
    torch.testing.assert_close(model.mean, expert(memory_rows=100.0).mean)


def test_more_rows_mean_less_doubt():
    model, doubts = expert(), []
    context_BI, item_NJ, _ = map(torch.from_numpy, rows(7, 4))
    for seed in range(4):
        doubts.append(model.score(context_BI[:1], item_NJ, [4])[1])
        learn(model, *rows(seed, 200))
    assert all((later < earlier).all() for earlier, later in pairwise(doubts))


def test_rewards_between_0_and_1_teach_their_mean():
    one, item = np.zeros((2_000, I), np.float32), np.zeros((2_000, J), np.float32)
    one[:, 0] = item[:, 0] = 1.0
    model = expert()
    for start in range(0, 2_000, 100):
        learn(model, one[start : start + 100], item[start : start + 100], np.full(100, 0.3, np.float32))
    logit, _ = model.score(torch.from_numpy(one[:1]), torch.from_numpy(item[:1]), [1])
    assert sigmoid(logit.item()) == pytest.approx(0.3, abs=0.02)


# Provisional evidence


def provide(model, context_RI, item_RJ, reward_R, weight_R):
    model.provide(Weighted(*map(torch.from_numpy, (context_RI, item_RJ, reward_R, np.asarray(weight_R, np.float64)))))
    return model


def bits(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_scores_with_provisional_rows_are_those_of_the_dense_computation_with_weights():
    model, dense = learn(expert(), *rows(0, 200)), Dense(expert())
    dense.learn(*rows(0, 200))
    context_RI, item_RJ, reward_R = rows(1, 300)
    weight_R = np.random.default_rng(2).uniform(0, 2, 300)
    provide(model, context_RI, item_RJ, reward_R, weight_R)
    features, root_R = crossed(context_RI, item_RJ), np.sqrt(weight_R)[:, None]
    weights = dense.mean
    for _ in range(2):
        p = sigmoid(features @ weights)
        h = np.maximum(p * (1 - p), 1e-3)
        precision = dense.precision + (root_R * features).T @ (root_R * features * h[:, None])
        pull_R = reward_R - p + h * (features @ weights)
        weights = np.linalg.solve(precision, dense.eta + features.T @ (weight_R * pull_R))
    np.testing.assert_allclose(model.mean, weights, rtol=1e-4, atol=1e-5)
    context_BI, item_NJ, _ = rows(9, 5)
    _, sd = model.score(torch.from_numpy(context_BI[:1]), torch.from_numpy(item_NJ), [5])
    expected = crossed(np.repeat(context_BI[:1], 5, 0), item_NJ)
    np.testing.assert_allclose(
        sd, np.sqrt(np.einsum("kd,de,ke->k", expected, np.linalg.inv(precision), expected)), rtol=1e-4
    )


def test_what_is_settled_stays_as_it_is_and_comes_back_to_the_last_bit():
    model = learn(expert(), *rows(0, 200))
    before, settled = bits(model), ("precision", "eta", "prior_precision", "prior_eta")
    provide(model, *rows(1, 50), np.ones(50))
    assert all(bits(model)[name] == before[name] for name in settled)
    assert bits(model)["mean"] != before["mean"]
    model.settle()
    assert bits(model) == before


def test_learning_goes_on_as_if_nothing_had_been_provided():
    disturbed, other = learn(expert(), *rows(0, 200)), learn(expert(), *rows(0, 200))
    provide(disturbed, *rows(1, 50), np.ones(50))
    provide(disturbed, *rows(2, 50), np.ones(50))
    assert bits(learn(disturbed, *rows(3, 70))) == bits(learn(other, *rows(3, 70)))


def test_rows_without_weight_are_no_rows():
    model = learn(expert(), *rows(0, 200))
    mean, pairs = model.mean.clone(), model.pairs.clone()
    provide(model, *rows(1, 50), np.zeros(50))
    assert torch.equal(model.mean, mean)
    assert torch.equal(model.pairs, pairs)
