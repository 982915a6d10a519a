"""Laws of exploration: whatever the beliefs, a distribution for every decision, and the floor under all of it."""

import dataclasses
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.draw import split
from agent.explore import NEEDS, Belief, probabilities, sigmoid
from agent.settings import ExploreSettings

LAW = settings(deadline=None)  # a busy machine breaks no law

STRATEGIES = get_args(ExploreSettings.model_fields["strategy"].annotation)
EVEN = tuple(set(STRATEGIES) - {"greedy", "epsilon_greedy", "linucb", "thompson", "neural_thompson"})


@st.composite
def beliefs(draw):
    """Ragged beliefs: up to six decisions of up to eight candidates."""
    counts = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    total, M = sum(counts), draw(st.integers(1, 5))
    logits = st.floats(-30, 30)

    def each(values, size=total):
        return np.array(draw(st.lists(values, min_size=size, max_size=size)))

    return Belief(
        each(logits),
        each(st.floats(1e-3, 10)),
        np.array(counts),
        rows=draw(st.integers(0, 10**7)),
        samples_MN=each(logits, M * total).reshape(M, total),
        item_rows_N=each(st.one_of(st.just(0.0), st.floats(0, 1e6))),
        item_reward_N=each(st.floats(0, 1)),
        level_B=draw(st.one_of(st.none(), st.just(each(st.floats(0, 1), len(counts))))),
    )


@st.composite
def explorers(draw, strategies=STRATEGIES, **fixed):
    drawn = {
        "strategy": draw(st.sampled_from(strategies)),
        "floor": draw(st.floats(1e-6, 1.0)),
        "gap_scale": draw(st.floats(1e-3, 1e6)),
        "evaluable": draw(st.one_of(st.just(0.0), st.floats(0, 1))),
        "inverse_temperature": draw(st.one_of(st.none(), st.floats(0, 100))),
        "value_rows": draw(st.floats(1, 1e6)),
        "epsilon": draw(st.floats(1e-6, 1.0)),
        "epsilon_min": draw(st.floats(0, 1.0)),
        "epsilon_decay_rows": draw(st.floats(1, 1e6)),
        "bonus": draw(st.floats(1e-3, 10)),
        "bonus_scales": draw(st.integers(1, 40)),
    }
    return ExploreSettings(**drawn | fixed)


def parts(belief):
    """Each decision as a belief of its own."""
    stops = np.cumsum(belief.counts_B)[:-1]
    fields = ("logit_N", "sd_N", "item_rows_N", "item_reward_N")
    columns = {name: np.split(getattr(belief, name), stops) for name in fields}
    samples = np.split(belief.samples_MN, stops, axis=1)
    for place, count in enumerate(belief.counts_B):
        mine = {name: column[place] for name, column in columns.items()}
        mine["level_B"] = None if belief.level_B is None else belief.level_B[place : place + 1]
        yield dataclasses.replace(belief, counts_B=np.array([count]), samples_MN=samples[place], **mine)


@LAW
@given(explorers(), beliefs())
def test_every_decision_has_a_distribution_above_the_floor(settings, belief):
    shares_N = probabilities(settings, belief)
    assert shares_N.shape == belief.logit_N.shape
    for shares_K in split(shares_N, belief.counts_B):
        assert (shares_K > 0).all()
        assert (shares_K <= 1).all()
        assert abs(shares_K.sum() - 1.0) < 1e-9
        assert (shares_K >= settings.floor / len(shares_K) * (1 - 1e-9)).all()


@LAW
@given(explorers(), beliefs())
def test_a_decision_does_not_depend_on_the_batch_it_is_in(settings, belief):
    together = split(probabilities(settings, belief), belief.counts_B)
    for shares_K, alone in zip(together, parts(belief), strict=True):
        np.testing.assert_allclose(probabilities(settings, alone), shares_K, rtol=0, atol=1e-11)


@LAW
@given(explorers(), beliefs())
def test_what_a_strategy_does_not_need_it_does_not_read(settings, belief):
    unneeded = {"samples_MN", "item_rows_N", "item_reward_N"} - NEEDS.get(settings.strategy, frozenset())
    bare = dataclasses.replace(belief, **dict.fromkeys(unneeded))
    np.testing.assert_array_equal(probabilities(settings, bare), probabilities(settings, belief))


@LAW
@given(explorers(("inverse_gap_weighting",), evaluable=0.0), beliefs())
def test_inverse_gap_weighting_gives_most_to_the_one_it_may_hope_most_of_and_more_to_a_smaller_gap(settings, belief):
    belief = dataclasses.replace(belief, level_B=None)
    hopes = split(sigmoid(belief.logit_N + belief.sd_N), belief.counts_B)
    for shares_K, hope_K in zip(split(probabilities(settings, belief), belief.counts_B), hopes, strict=True):
        assert shares_K[np.argmax(hope_K)] >= shares_K.max() - 1e-12
        rest_K = np.delete(np.arange(len(hope_K)), np.argmax(hope_K))
        by_hope_K = shares_K[rest_K][np.argsort(hope_K[rest_K])]
        assert (np.diff(by_hope_K) >= -1e-12).all()


@LAW
@given(explorers(("boltzmann",)), beliefs())
def test_boltzmann_ranks_as_the_logits_do_where_items_have_no_history(settings, belief):
    new = dataclasses.replace(belief, item_rows_N=np.zeros(len(belief.logit_N)))
    logits = split(belief.logit_N, belief.counts_B)
    for shares_K, logit_K in zip(split(probabilities(settings, new), belief.counts_B), logits, strict=True):
        assert (np.diff(shares_K[np.argsort(logit_K)]) >= -1e-12).all()


@LAW
@given(explorers(("boltzmann",)), beliefs())
def test_boltzmann_never_prefers_the_item_that_earned_less_where_all_else_is_alike(settings, belief):
    alike_N = np.zeros(len(belief.logit_N))
    same = dataclasses.replace(belief, logit_N=alike_N, item_rows_N=alike_N + 50.0)
    earned = split(belief.item_reward_N, belief.counts_B)
    for shares_K, reward_K in zip(split(probabilities(settings, same), belief.counts_B), earned, strict=True):
        assert (np.diff(shares_K[np.argsort(reward_K)]) >= -1e-12).all()


@LAW
@given(explorers(("greedy", "epsilon_greedy")), beliefs())
def test_the_greedy_one_gets_the_rest_and_all_others_the_same(settings, belief):
    falling = settings.epsilon / (1 + belief.rows / settings.epsilon_decay_rows)
    epsilon = max(falling, min(settings.epsilon, settings.epsilon_min)) if settings.strategy != "greedy" else 0.0
    greedy_B = belief.greedy_B - belief.starts_B
    for shares_K, greedy in zip(split(probabilities(settings, belief), belief.counts_B), greedy_B, strict=True):
        even = ((1 - settings.floor) * epsilon + settings.floor) / len(shares_K)
        np.testing.assert_allclose(np.delete(shares_K, greedy), even, rtol=1e-9)
        assert shares_K[greedy] == pytest.approx(even + (1 - settings.floor) * (1 - epsilon))


@LAW
@given(explorers(("linucb", "thompson", "neural_thompson"), floor=0.5), beliefs())
def test_counted_winners_make_whole_shares(settings, belief):
    M = settings.bonus_scales if settings.strategy == "linucb" else len(belief.samples_MN)
    counted_N = 2 * M * (probabilities(settings, belief) - 0.5 / belief.spread(belief.counts_B))
    np.testing.assert_allclose(counted_N, np.round(counted_N), atol=1e-9)


@LAW
@given(explorers(EVEN), st.integers(1, 50), st.floats(-20, 20), st.floats(1e-3, 5))
def test_where_all_candidates_are_alike_the_choice_is_uniform(settings, count, logit, sd):
    alike, none = np.full(count, logit), np.zeros(count)
    belief = Belief(alike, np.full(count, sd), np.array([count]), 1_000, item_rows_N=none, item_reward_N=none)
    np.testing.assert_allclose(probabilities(settings, belief), 1 / count, rtol=1e-9)
