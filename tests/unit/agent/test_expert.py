"""The expert against a dense computation of one Gaussian over all weights and all effects; its prior by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from agent.expert import BayesianLogistic
from agent.expert_prior import Sides
from agent.regressors import Regressors
from agent.settings import ExpertSettings
from agent.targets import Targets

I, J, S = 3, 4, 1  # context side, item side, similarities  # noqa: E741 - the names of the axes
D = I * J + S
ITEMS = 7
FOR_EVER = 1e12  # rows: nothing is forgotten, so that the lazy way of forgetting plays no part


def expert(**settings):
    return BayesianLogistic(ExpertSettings(**{"memory_rows": FOR_EVER} | settings), I, J, S)


def item_sides(seed=99):
    """The features of each item, which stay the same; with their leading 1."""
    random = np.random.default_rng(seed)
    return np.concatenate([np.ones((ITEMS, 1)), random.normal(size=(ITEMS, J - 1))], axis=1).astype(np.float32)


def rows(seed, count, items=ITEMS):
    """Rows of seven items, and rewards that depend on context, item and which item it is."""
    random = np.random.default_rng(seed)
    context_RI = np.concatenate([np.ones((count, 1)), random.normal(size=(count, I - 1))], axis=1).astype(np.float32)
    item_R = random.integers(0, items, count)
    item_RJ = item_sides()[item_R]
    similarity_RS = random.normal(size=(count, S)).astype(np.float32)
    odds_R = -1.0 + item_RJ[:, 1] + context_RI[:, 1] * item_RJ[:, 2] + 0.5 * (item_R % 3)
    reward_R = (random.random(count) < sigmoid(odds_R)).astype(np.float32)
    return context_RI, item_RJ, similarity_RS, item_R, reward_R


def read(batch):
    return Regressors(*batch[:4])


def learn(model, *batches):
    for batch in batches:
        model.learn(read(batch), Targets.whole(torch.from_numpy(batch[4])))
    return model


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


def features(batch):
    """phi and a column for each item: [R, d + items]."""
    context_RI, item_RJ, similarity_RS, item_R, _ = batch
    crossed = np.einsum("ri,rj->rij", context_RI, item_RJ).reshape(len(context_RI), I * J)
    return np.concatenate([crossed, similarity_RS, np.eye(ITEMS)[item_R]], axis=1).astype(np.float64)


class Dense:
    """The same posterior straight from the formulas: over theta and the effect of every item."""

    def __init__(self, model, sd_item_id=0.5):
        self.precision = np.diag(np.concatenate([model.prior_precision.numpy(), np.full(ITEMS, sd_item_id**-2)]))
        self.eta = np.concatenate([model.prior_eta.numpy(), np.zeros(ITEMS)])

    def learn(self, batch, weight_R=1.0, steps=2):
        at = np.linalg.solve(self.precision, self.eta)
        for _ in range(steps):
            found = self._with_evidence(features(batch), at, batch[4], weight_R)
            at = np.linalg.solve(*found)
        self.precision, self.eta = found
        return self

    def _with_evidence(self, phi, weights, reward_R, weight_R):
        odds = phi @ weights
        p = sigmoid(odds)
        h = np.maximum(p * (1 - p), 1e-3)
        weighted = phi * (weight_R * h)[:, None]
        return self.precision + phi.T @ weighted, self.eta + phi.T @ (weight_R * (reward_R - p + h * odds))

    def score(self, batch):
        phi, covariance = features(batch), np.linalg.inv(self.precision)
        mean = np.linalg.solve(self.precision, self.eta)
        return phi @ mean, np.sqrt(np.einsum("kd,de,ke->k", phi, covariance, phi))


def assert_alike(model, dense, batch):
    logit, sd = model.score(read(batch))
    expected_logit, expected_sd = dense.score(batch)
    np.testing.assert_allclose(logit, expected_logit, rtol=1e-3, atol=2e-4)
    np.testing.assert_allclose(sd, expected_sd, rtol=1e-3, atol=2e-4)


def test_the_arrowhead_is_the_dense_posterior_over_weights_and_items():
    model = expert()
    dense = Dense(model)
    for seed in range(6):
        batch = rows(seed, 60, items=3 + seed % 5)  # some items pause, others come later
        learn(model, batch)
        dense.learn(batch)
        assert_alike(model, dense, rows(100 + seed, 20))


def test_an_item_never_seen_has_no_effect_and_the_doubt_of_its_prior():
    model = learn(expert(sd_item_id=0.5), rows(0, 400, items=5))
    batch = rows(1, 6)
    known = read(batch)._replace(item_N=np.zeros(6, np.int64))
    unseen = read(batch)._replace(item_N=np.full(6, 1_000))
    effect = model.items.effect(unseen.item_N, model.clock)
    assert (effect.mean_N(model.mean.numpy()) == 0).all()
    assert effect.variance_N.tolist() == [0.25] * 6
    assert (model.score(unseen)[1] > model.score(known)[1]).all()


def test_an_item_that_changes_its_features_keeps_its_effect():
    batch = rows(0, 500)
    model = learn(expert(), batch)
    before_N = model.items.effect(read(batch).item_N, model.clock).mean_N(model.mean.numpy())
    other = rows(1, 3)
    changed = (other[0][:1], other[1][:1] + 1.0, other[2][:1], batch[3][:1], np.ones(1, np.float32))
    learn(model, changed)
    after_N = model.items.effect(read(batch).item_N, model.clock).mean_N(model.mean.numpy())
    first = batch[3] == batch[3][0]
    assert np.abs(after_N[first] - before_N[first]).max() < 0.25
    for seed in range(20):
        learn(model, rows(seed, 100))  # and back: the matrices stay sound
    assert torch.isfinite(model.mean).all()
    assert torch.linalg.eigvalsh(model.precision).min() > 0


def test_features_that_change_with_every_row_leave_a_sound_posterior():
    model = expert()
    told, came = [], []
    for seed in range(120):
        context_RI, item_RJ, similarity_RS, item_R, reward_R = rows(seed, 50)
        noisy = item_RJ + np.random.default_rng(seed).normal(size=item_RJ.shape).astype(np.float32)
        batch = (context_RI, noisy, similarity_RS, item_R, reward_R)
        if seed >= 60:
            told.append(torch.sigmoid(model.score(read(batch))[0]).numpy())
            came.append(reward_R)
        learn(model, batch)
    assert torch.linalg.eigvalsh(model.precision).min() > 0
    p, reward = np.concatenate(told), np.concatenate(came)
    assert p.mean() == pytest.approx(reward.mean(), abs=0.06)  # .04 too high: weights and effects are taken as apart
    loss = -np.log(np.where(reward > 0, p, 1 - p)).mean()
    assert loss < 0.95 * -(reward.mean() * np.log(reward.mean()) + (1 - reward.mean()) * np.log(1 - reward.mean()))


def test_batch_by_batch_comes_near_the_mode_of_everything_at_once():
    model = expert()
    batches = [rows(seed, 32) for seed in range(40)]
    prior, prior_mean = Dense(model).precision, np.linalg.solve(Dense(model).precision, Dense(model).eta)
    learn(model, *batches)
    phi = np.concatenate([features(batch) for batch in batches])
    reward_R = np.concatenate([batch[4] for batch in batches])
    best = np.concatenate([model.mean.numpy(), np.zeros(ITEMS)]).astype(np.float64)
    for _ in range(30):  # Newton's method on the log posterior of everything at once
        p = sigmoid(phi @ best)
        slope = phi.T @ (reward_R - p) - prior @ (best - prior_mean)
        curvature = (phi * (p * (1 - p))[:, None]).T @ phi + prior
        best += np.linalg.solve(curvature, slope)
    sd = np.sqrt(np.diag(np.linalg.inv(curvature)))
    assert np.abs((model.mean.numpy() - best[:D]) / sd[:D]).max() < 0.75  # of a posterior deviation


def test_the_prior_gives_each_group_its_share_of_the_variance():
    model = expert(sd_cross=0.7, sd_item=0.6, sd_similarity=1.1, sd_context=0.5, sd_intercept=2.0)
    variance_IJ = 1 / model.prior_precision[: I * J].view(I, J).numpy()
    assert variance_IJ[0, 0] == pytest.approx(2.0**2)
    assert variance_IJ[0, 1:].sum() == pytest.approx(0.6**2)  # an even share each
    assert variance_IJ[1:, 0].sum() == pytest.approx(0.5**2)
    assert variance_IJ[1:, 1:].sum() == pytest.approx(0.7**2)
    assert 1 / model.prior_precision[-1].item() == pytest.approx(1.1**2)


def test_features_out_of_use_take_no_share_from_those_in_use():
    model = expert(sd_item=0.6, sd_context=0.5)
    model.restart(Sides(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 0.0, 0.0])), base_rate=0.1)
    variance_IJ = 1 / model.prior_precision[: I * J].view(I, J).numpy()
    assert variance_IJ[0, 1] == pytest.approx(0.6**2)
    assert variance_IJ[1, 0] == pytest.approx(0.5**2)


@pytest.mark.parametrize("base_rate", [0.01, 0.05, 0.5])
def test_without_evidence_a_candidate_has_the_base_rate_and_the_doubt_of_the_prior(base_rate):
    model = expert(sd_intercept=2.0, sd_item_id=0.5, mean_similarity=0.2)
    model.restart(Sides(torch.ones(I), torch.ones(J)), base_rate)
    one_RI, one_RJ = (np.eye(width, dtype=np.float32)[[0, 0]] for width in (I, J))
    logit, sd = model.score(Regressors(one_RI, one_RJ, np.array([[0.0], [3.0]], np.float32), np.array([1, 2])))
    assert sigmoid(logit[0].item()) == pytest.approx(base_rate, rel=1e-4)
    assert sd[0].item() == pytest.approx((2.0**2 + 0.5**2) ** 0.5)
    assert (logit[1] - logit[0]).item() == pytest.approx(3 * 0.2, rel=1e-4)  # likeness speaks from the start


def test_a_restart_forgets_everything():
    fresh, used = expert(), learn(expert(), rows(0, 500))
    used.restart(Sides(torch.ones(I), torch.ones(J)), base_rate=0.05)
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(used.state_dict()[name], value)


def nothing(count):
    """Rows without features, of an item of their own."""
    sides = [np.zeros((count, width), np.float32) for width in (I, J, S)]
    return *sides, np.full(count, 1_000), np.zeros(count, np.float32)


def test_evidence_halves_after_the_rows_of_the_memory_and_in_the_end_the_prior_is_back():
    model = learn(expert(memory_rows=100.0), rows(0, 200))
    prior = torch.diag(model.prior_precision)
    before = (model.precision - prior, model.eta - model.prior_eta)
    learn(model, nothing(100))
    torch.testing.assert_close(model.precision - prior, before[0] / 2)
    torch.testing.assert_close(model.eta - model.prior_eta, before[1] / 2)
    for _ in range(40):
        learn(model, nothing(100))
    torch.testing.assert_close(model.precision, prior)
    torch.testing.assert_close(model.mean, expert().mean)
    effect = model.items.effect(read(rows(1, 30)).item_N, model.clock)
    np.testing.assert_allclose(effect.mean_N(model.mean.numpy()), np.zeros(30), atol=1e-6)
    np.testing.assert_allclose(effect.variance_N, np.full(30, 0.25), rtol=1e-6)


def test_forgetting_in_one_go_is_forgetting_over_as_many_half_lives():
    slow, fast = (learn(expert(memory_rows=100.0), rows(0, 200)) for _ in range(2))
    learn(slow, nothing(100), nothing(100))
    fast.forget(0.25)
    fast.reread()
    batch = rows(1, 20)
    torch.testing.assert_close(slow.score(read(batch)), fast.score(read(batch)), rtol=1e-4, atol=1e-4)


def test_more_rows_mean_less_doubt():
    model, doubts = expert(), []
    for seed in range(4):
        doubts.append(model.score(read(rows(7, 4)))[1])
        learn(model, rows(seed, 200))
    assert all((later < earlier).all() for earlier, later in pairwise(doubts))


def test_rewards_between_0_and_1_teach_their_mean():
    one = (np.eye(I, dtype=np.float32)[[0] * 100], np.eye(J, dtype=np.float32)[[0] * 100])
    batch = (*one, np.zeros((100, S), np.float32), np.zeros(100, np.int64), np.full(100, 0.3, np.float32))
    model = learn(expert(), *[batch] * 20)
    assert sigmoid(model.score(read(batch))[0][0].item()) == pytest.approx(0.3, abs=0.02)


def test_what_is_known_already_is_not_learned_again():
    """Rows whose logits are given in full leave nothing to the weights."""
    batch = rows(0, 4_000)
    truth_R = torch.from_numpy(-1.0 + batch[1][:, 1] + batch[0][:, 1] * batch[1][:, 2] + 0.5 * (batch[3] % 3)).double()
    model = expert(sd_intercept=0.5, mean_similarity=0.0)
    model.restart(Sides(torch.ones(I), torch.ones(J)), base_rate=0.5)
    model.learn(read(batch), Targets(torch.sigmoid(truth_R), torch.ones(4_000), truth_R))
    assert model.score(read(batch))[0].abs().max() < 1e-3


def test_draws_from_the_posterior_have_its_mean_and_its_covariance():
    model, batch = learn(expert(), rows(0, 100)), rows(1, 5)
    drawn_MN = model.sample(read(batch), count=40_000, seed=3)
    logit, sd = model.score(read(batch))
    np.testing.assert_allclose(drawn_MN.mean(0), logit, atol=0.03)
    np.testing.assert_allclose(drawn_MN.std(0), sd, rtol=0.03)
    assert torch.equal(drawn_MN, model.sample(read(batch), count=40_000, seed=3))


# Provisional evidence


def provide(model, batch, weight_R):
    reward_R = torch.from_numpy(batch[4]).double()
    model.provide(read(batch), Targets(reward_R, torch.from_numpy(weight_R), torch.zeros_like(reward_R)))
    return model


def bits(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_scores_with_provisional_rows_are_those_of_the_dense_computation_with_weights():
    model, dense = learn(expert(), rows(0, 200, items=4)), Dense(expert()).learn(rows(0, 200, items=4))
    batch, weight_R = rows(1, 300), np.random.default_rng(2).uniform(0, 2, 300)
    provide(model, batch, weight_R)
    dense.learn(batch, weight_R, steps=1)
    assert_alike(model, dense, rows(9, 20))


def test_what_is_settled_comes_back_to_the_last_bit():
    model = learn(expert(), rows(0, 200, items=4))
    before = bits(model)
    provide(model, rows(1, 50), np.ones(50))
    assert bits(model)["mean"] != before["mean"]
    assert bits(model)["precision"] == before["precision"]
    model.settle()
    assert bits(model) == before


def test_learning_goes_on_as_if_nothing_had_been_provided():
    disturbed, other = learn(expert(), rows(0, 200, items=4)), learn(expert(), rows(0, 200, items=4))
    provide(disturbed, rows(1, 50), np.ones(50))
    provide(disturbed, rows(2, 50), np.ones(50))
    assert bits(learn(disturbed, rows(3, 70))) == bits(learn(other, rows(3, 70)))


def test_rows_without_weight_are_no_rows():
    model = learn(expert(), rows(0, 200))
    before = model.score(read(rows(9, 20)))
    provide(model, rows(1, 50), np.zeros(50))
    torch.testing.assert_close(model.score(read(rows(9, 20))), before, rtol=1e-5, atol=1e-5)


def test_a_full_store_forgets_the_items_unseen_for_longest_and_shows_provisional_ones_as_far_as_there_is_room():
    model = expert(max_items=1_024)
    batch = rows(0, 1_000)
    many = (*batch[:3], np.arange(1_000), batch[4])
    learn(model, many, (*batch[:3], np.arange(1_000, 2_000), batch[4]))
    assert len(model.items.table) <= 1_024
    assert (model.items.table.find(torch.arange(1_000, 2_000)) >= 0).all()
    before = bits(model)
    provide(model, (*batch[:3], np.arange(5_000, 6_000), batch[4]), np.ones(1_000))
    assert len(model.items.table) <= 1_024
    model.settle()
    assert bits(model) == before
