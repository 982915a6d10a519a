"""Preprocessing: robust scales, heavy tails, and components that no block of columns can drown."""

import numpy as np
import pytest
import torch

from agent.projection import Projection, Rank

SEEDS = range(3)


def normal(seed, rows, columns):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def fitted(values, blocks=None, **rank):
    projection = Projection(blocks or (values.shape[1],), Rank(**{"least": 1, "most": 16, "explained": 0.9} | rank))
    projection.fit(values)
    return projection


def components(projection, values):
    return projection(torch.from_numpy(values)).numpy()


def test_before_it_is_fitted_everything_is_zero():
    projection = Projection((3,), Rank(1, 2, 0.9))
    np.testing.assert_array_equal(components(projection, normal(0, 5, 3)), np.zeros((5, 2)))
    assert not projection.active.any()


def test_a_scale_is_the_spread_between_the_quartiles_as_a_normal_would_have_it():
    values = np.linspace(-1, 1, 101, dtype=np.float32)[:, None] * np.array([1, 1, 100, 100], np.float32) + 7
    projection = fitted(values)
    # quartiles -0.5 and 0.5, a spread of 1: 1 / 1.349; the last columns are 100 times as wide
    np.testing.assert_allclose(projection.scale, np.array([1, 1, 100, 100]) / 1.349, rtol=1e-5)
    np.testing.assert_allclose(projection.center, [7] * 4, atol=1e-4)


@pytest.mark.parametrize("spreads", [(1, 1_000_000), (1, 100, 100)])
def test_a_few_columns_of_different_spread_keep_their_own_scales(spreads):
    values = normal(0, 1_000, len(spreads)) * np.array(spreads, np.float32)
    found = components(fitted(values), values)
    assert explained(found, values[:, 0]) > 0.9


def test_columns_of_like_spread_share_one_scale():
    values = np.linspace(-1, 1, 101, dtype=np.float32)[:, None] * np.array([1.0, 2.0], np.float32)
    # spreads 1 / 1.349 and 2 / 1.349: their root mean square
    np.testing.assert_allclose(fitted(values).scale, np.sqrt(2.5) / 1.349, rtol=1e-5)


def test_each_block_has_its_own_scale():
    values = np.linspace(-1, 1, 101, dtype=np.float32)[:, None] * np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(fitted(values, blocks=(1, 1)).scale, np.array([1, 2]) / 1.349, rtol=1e-5)


def test_a_sparse_column_is_scaled_by_its_deviation():
    values = np.zeros((100, 1), np.float32)
    values[:10] = 1.0  # both quartiles are 0; the deviation is sqrt(0.1 * 0.9)
    np.testing.assert_allclose(fitted(values).scale, 0.3, rtol=1e-5)


def test_a_heavy_tail_is_drawn_in_and_others_are_cut_off():
    values = normal(0, 4_000, 2)
    values[:, 1] = np.random.default_rng(1).standard_cauchy(4_000)
    projection = fitted(values)
    assert projection.heavy.tolist() == [False, True]
    far = projection.squash(torch.full((1, 2), 1e6))
    np.testing.assert_allclose(far, [[5.0, 4.0]], rtol=1e-5)
    z = 3.0
    at_z = projection.squash(projection.center[None] + z * projection.scale[None])
    np.testing.assert_allclose(at_z, [[z, 1.1 * np.arcsinh(z)]], rtol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_square_of_a_component_is_1(seed):
    values = normal(seed, 2_000, 12) * np.logspace(0, 2, 12, dtype=np.float32)
    found = components(projection := fitted(values, explained=0.5), values)
    kept = found[:, projection.active.numpy()]
    assert 2 <= kept.shape[1] < 12
    assert np.mean(kept**2) == pytest.approx(1.0, abs=0.02)  # a few rows lie far out and are shortened
    np.testing.assert_allclose(kept.mean(axis=0), 0, atol=0.02)
    np.testing.assert_array_equal(found[:, ~projection.active.numpy()], 0)


def test_components_do_not_correlate_and_come_by_their_spread():
    values = normal(0, 3_000, 4) @ np.array([[3, 1, 0, 0], [0, 2, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]], np.float32)
    found = components(fitted(values, explained=1.0), values)
    correlation = np.corrcoef(found.T)
    np.testing.assert_allclose(correlation, np.eye(4), atol=0.03)
    assert (np.diff(found.var(axis=0)) < 0.01).all()


@pytest.mark.parametrize(
    ("rank", "kept"),
    [
        ({"explained": 0.45}, 5),  # ten even columns: four hold four tenths, five a half
        ({"explained": 1.0}, 10),
        ({"explained": 1.0, "most": 3}, 3),
        ({"explained": 0.01, "least": 4}, 4),
        ({"explained": 0.01, "least": 40, "most": 40}, 10),
    ],
)
def test_the_rank_is_the_least_that_explains_enough_within_its_bounds(rank, kept):
    values = np.repeat(np.concatenate([np.eye(10), -np.eye(10)]), 20, axis=0).astype(np.float32)
    projection = fitted(values, **rank)
    assert int(projection.active.sum()) == kept
    assert projection.width == min(rank.get("most", 16), 10)


def test_a_column_that_never_varies_is_left_out_whatever_it_later_holds():
    values = normal(0, 500, 3)
    values[:, 1] = 42.0
    projection = fitted(values, explained=1.0)
    changed = values.copy()
    changed[:, 1] = -1e6
    np.testing.assert_array_equal(components(projection, values), components(projection, changed))
    assert int(projection.active.sum()) == 2


def test_where_nothing_varies_there_is_no_component():
    projection = fitted(np.ones((50, 3), np.float32))
    assert not projection.active.any()
    np.testing.assert_array_equal(components(projection, normal(0, 5, 3)), np.zeros((5, 3)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wide_block_does_not_drown_a_small_one(seed):
    random = np.random.default_rng(seed)
    embedding = (normal(seed, 1_000, 8) @ random.normal(size=(8, 384))).astype(np.float32)
    numbers = normal(seed + 100, 1_000, 8)
    values = np.concatenate([embedding, numbers], axis=1)
    projection = fitted(values, blocks=(384, 8), least=4, explained=0.95)
    found = components(projection, values)
    assert np.mean([explained(found, number) for number in numbers.T]) > 0.8  # they can be read off the components


@pytest.mark.parametrize("seed", SEEDS)
def test_a_one_hot_block_is_not_dropped(seed):
    topic = np.random.default_rng(seed).integers(0, 8, 2_000)
    one_hot = np.eye(8, dtype=np.float32)[topic]
    values = np.concatenate([normal(seed, 2_000, 2), one_hot], axis=1)
    found = components(fitted(values, blocks=(2, 8), least=4), values)
    for column in range(8):
        assert explained(found, one_hot[:, column]) > 0.6


def test_a_row_far_from_all_others_is_shortened_in_its_own_direction():
    values = normal(0, 1_000, 4)
    projection = fitted(values, explained=1.0)
    far = np.array([[3.0, 3.0, 3.0, 3.0]], np.float32) * 100
    found = components(projection, far)
    assert np.linalg.norm(found) == pytest.approx(2.0 * 4**0.5, rel=1e-5)  # root mean square 2 of four components
    plain = (projection.squash(torch.from_numpy(far)) @ projection.weights - projection.offset).numpy()
    cosine = (found @ plain.T).item() / np.linalg.norm(found) / np.linalg.norm(plain)
    assert cosine == pytest.approx(1.0, rel=1e-5)


def test_fitting_again_leaves_nothing_of_the_first_fit():
    first, second = normal(0, 300, 5), normal(1, 300, 5) * 50
    again = fitted(first)
    again.fit(second)
    for name, value in fitted(second).state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def explained(found, target):
    """Share of a target's variance that a linear map of the components holds."""
    design = np.concatenate([found, np.ones((len(found), 1))], axis=1)
    fit = design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return 1 - np.var(target - fit) / np.var(target)
