"""Laws of sums over rows: however rows are cut into shares, each is in one of them, and the sums are the whole's."""

from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.crossed_rows import CrossedRows, Sums
from agent.expert import BayesianLogistic
from agent.regressors import Regressors
from agent.row_sums import WeightedRows
from agent.settings import ExpertSettings
from agent.targets import Targets

LAW = settings(deadline=None, max_examples=50)  # a busy machine breaks no law
I, J, S = 3, 4, 2  # context side, item side, similarities  # noqa: E741 - the names of the axes


def in_shares(count):
    """Adds up here, a share at a time."""

    def adding(rows):
        parts = [share.sums() for share in rows.shares(count)]
        return lambda: reduce(Sums.plus, parts)

    return adding


def read_of(random, rows, items=5):
    item_R = torch.randint(items, (rows,), generator=random)
    side_IJ = torch.randn(items, J, generator=torch.Generator().manual_seed(7))
    side_IJ[:, 0] = 1.0
    context_RI = torch.randn(rows, I, generator=random)
    context_RI[:, 0] = 1.0
    columns = (context_RI, side_IJ[item_R], torch.randn(rows, S, generator=random), item_R)
    return Regressors(*(column.numpy() for column in columns))


def doubled(read):
    return Regressors(*(side.astype(np.float64) for side in read[:3]), read.item_N)


def apart(found, expected):
    """The largest difference, as a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@LAW
@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_shares_hold_each_row_once_in_order_and_add_up_to_the_whole(rows, count, seed):
    random = torch.Generator().manual_seed(seed)
    read = read_of(random, rows)
    curvature_R, pull_R = torch.rand(2, rows, generator=random, dtype=torch.float64).numpy()
    whole = WeightedRows(CrossedRows.of(read), curvature_R, pull_R)
    shares = whole.shares(count)
    sizes = [len(share.pull_R) for share in shares]
    assert len(shares) == max(min(count, rows), 1)
    assert max(sizes) - min(sizes) <= 1
    for column in ("curvature_R", "pull_R"):
        assert np.array_equal(np.concatenate([getattr(share, column) for share in shares]), getattr(whole, column))
    for number, side in enumerate(whole.rows.sides):
        assert np.array_equal(np.concatenate([share.rows.sides[number] for share in shares], axis=1), side)
    for found, expected in zip(in_shares(count)(whole)(), whole.sums(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@LAW
@given(st.integers(0, 40), st.integers(0, 2**31))
def test_sums_are_those_over_features_written_out(rows, seed):
    random = torch.Generator().manual_seed(seed)
    read = read_of(random, rows)
    weight_R, pull_R = torch.rand(2, rows, generator=random, dtype=torch.float64).numpy()
    sums, phi_Rd = CrossedRows.of(read).sums(weight_R, pull_R), doubled(read).features()
    np.testing.assert_allclose(sums.precision_dd(I, J), (phi_Rd.T * weight_R) @ phi_Rd, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sums.eta_d, phi_Rd.T @ pull_R, rtol=1e-12, atol=1e-12)


@LAW
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 4), st.integers(0, 2**31))
def test_an_expert_learns_the_same_from_shares(sizes, count, seed):
    random = torch.Generator().manual_seed(seed)
    one, shared = (BayesianLogistic(ExpertSettings(), I, J, S) for _ in range(2))
    shared.adding = in_shares(count)
    for rows in sizes:
        read = read_of(random, rows)
        reward_R = (torch.rand(rows, generator=random) < 0.3).float()
        offset_R = torch.randn(rows, generator=random)
        for expert in (one, shared):
            expert.learn(read, Targets.whole(reward_R, offset_R))
    assert apart(shared.precision, one.precision) < 1e-9
    assert apart(shared.eta, one.eta) < 1e-9


def test_what_is_provisional_is_added_up_here():
    random = torch.Generator().manual_seed(0)
    expert, read = BayesianLogistic(ExpertSettings(), I, J, S), read_of(random, 20)

    def refuses(rows):
        raise AssertionError("asked to add up")

    expert.adding = refuses
    targets = Targets.whole(torch.ones(20))
    expert.provide(read, targets)
    with pytest.raises(AssertionError, match="asked to add up"):
        expert.learn(read, targets)
