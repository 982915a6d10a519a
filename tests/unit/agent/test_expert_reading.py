"""What deciding reads, against the formula written out candidate by candidate; and that it never reads old weights."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from agent.expert import BayesianLogistic
from agent.regressors import Regressors
from agent.settings import ExpertSettings
from agent.targets import Targets

I, J, S, ITEMS = 3, 4, 5, 9  # noqa: E741 - the names of the axes


def some(seed, counts_B, items=ITEMS):
    """Candidates of decisions that share their context; of items whose features stay the same."""
    random = np.random.default_rng(seed)
    context_BI = np.concatenate([np.ones((len(counts_B), 1)), random.normal(size=(len(counts_B), I - 1))], axis=1)
    item_N = random.integers(0, items, sum(counts_B))
    item_VJ = np.random.default_rng(99).normal(size=(items, J))
    item_VJ[:, 0] = 1.0
    sides = (context_BI[np.repeat(np.arange(len(counts_B)), counts_B)], item_VJ[item_N])
    similarity_NS = random.normal(size=(sum(counts_B), S))
    return Regressors(*(each.astype(np.float32) for each in (*sides, similarity_NS)), item_N)


def taught(*, rows=300, items=6, **settings):
    model = BayesianLogistic(ExpertSettings(**settings), I, J, S)
    read = some(1, [1] * rows, items)
    model.learn(read, Targets.whole((torch.arange(rows) % 4 == 0).float()))
    return model


def written_out(model, read):
    """Mean and deviation of each candidate, in double precision, from (y - z)' V (y - z) + 1 / D."""
    effect = model.items.effect(read.item_N, model.clock)
    phi_Nd = torch.from_numpy(read.features())
    apart_Nd = (phi_Nd - torch.from_numpy(effect.slope_Nd())).double()
    variance_N = ((apart_Nd @ model.covariance.double()) * apart_Nd).sum(-1) + torch.from_numpy(effect.variance_N)
    mean_N = phi_Nd @ model.mean + torch.from_numpy(effect.mean_N(model.mean.numpy()))
    return mean_N, variance_N.sqrt().float()


def test_candidates_are_scored_together_as_each_by_itself():
    model, read = taught(), some(2, [5, 1, 7])
    logit_N, sd_N = model.score(read)
    expected_logit_N, expected_sd_N = written_out(model, read)
    torch.testing.assert_close(logit_N, expected_logit_N, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model.logit(read), expected_logit_N, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sd_N, expected_sd_N, rtol=1e-4, atol=1e-5)
    alone = [model.score(read.where(np.arange(13) == place)) for place in range(13)]
    torch.testing.assert_close(sd_N, torch.cat([sd for _, sd in alone]), rtol=1e-5, atol=1e-6)


def test_a_variance_much_smaller_than_the_features_keeps_its_digits():
    """An item shown 100,000 times in one context: y and z are nearly the same."""
    model = BayesianLogistic(ExpertSettings(memory_rows=1e12, sd_item_id=10.0), I, J, S)
    ones = Regressors(*(np.ones((1_000, width), np.float32) for width in (I, J, S)), np.zeros(1_000, np.int64))
    model.learn(ones, Targets(*torch.tensor([[0.5], [100.0], [0.0]]).double().expand(3, 1_000)))
    read = ones.where(np.arange(1_000) < 3)
    torch.testing.assert_close(model.score(read)[1], written_out(model, read)[1], rtol=1e-4, atol=0)


def test_an_item_that_comes_with_other_features_than_it_was_learned_with_is_written_out():
    model, read = taught(), some(2, [5, 5])
    changed_NJ = read.item_NJ.copy()
    changed_NJ[:6] += 0.5
    other = read._replace(item_NJ=changed_NJ)
    assert 0 < int((read.item_N[:6] < 6).sum()) < 6  # some known, some never learned from
    torch.testing.assert_close(model.score(other), written_out(model, other), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.logit(other), written_out(model, other)[0], rtol=1e-5, atol=1e-5)


def moves():
    """Whatever changes what deciding reads."""
    rows, targets = some(5, [1] * 50), Targets.whole(torch.ones(50))

    def settled(model):
        model.provide(rows, targets)
        model.score(some(2, [5]))
        model.settle()

    return {
        "learn": lambda model: model.learn(rows, targets),
        "provide": lambda model: model.provide(rows, targets),
        "settle": settled,
        "forget": lambda model: (model.forget(0.1), model.reread()),
        "clock": lambda model: model.forget(0.1),
        "load": lambda model: model.load_state_dict(taught(rows=60).state_dict()),
        "elsewhere": lambda model: (model.mean.numpy().fill(1.0), model.moved()),
        "table": lambda model: model.items.table.write(torch.arange(3), {"scalars": torch.ones(3, 4)}),
    }


@pytest.mark.parametrize("move", moves())
def test_what_was_worked_out_before_a_move_is_not_read_after_it(move):
    model, read = taught(), some(2, [5, 5])
    model.score(read)
    copy = deepcopy(model)
    moves()[move](model)
    for each in (model, copy):
        expected = written_out(each, read)
        torch.testing.assert_close(each.score(read), expected, rtol=1e-4, atol=1e-5)


def test_a_number_does_not_depend_on_what_was_asked_before():
    one, other = taught(items=200), taught(items=200)
    late = some(8, [20], items=200)
    one.score(some(7, [90], items=200))
    for mine, theirs in zip(one.score(late), other.score(late), strict=True):
        assert torch.equal(mine, theirs)
