"""Laws of the watch over propensities: true propensities give weights of mean 1; false alarms are rare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.monitor import DAY_S, PropensityMonitor, Shown, target_weights
from stream.meter import Tally

LAW = settings(deadline=None)  # a busy machine breaks no law


@st.composite
def policies(draw):
    """Probabilities of up to five decisions of up to twelve candidates, some of them nearly 0."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    drawn = (draw(st.lists(st.floats(1e-6, 1.0), min_size=size, max_size=size)) for size in sizes)
    return [np.array(values) / sum(values) for values in drawn]


def everything_shown(policy):
    """Each decision once with each of its candidates."""
    return Shown(
        np.concatenate([probabilities_K for probabilities_K in policy for _ in probabilities_K]),
        np.array([len(probabilities_K) for probabilities_K in policy for _ in probabilities_K]),
        np.concatenate([np.arange(len(probabilities_K)) for probabilities_K in policy]),
        np.concatenate(policy),
    )


@LAW
@given(policies())
def test_under_the_logged_probabilities_every_weight_has_mean_one_and_lies_within_two(policy):
    shown = everything_shown(policy)
    for weight_B in target_weights(shown).values():
        assert (weight_B >= 0).all()
        assert (weight_B <= 2).all()
        means = np.add.reduceat(weight_B * shown.propensity_B, np.cumsum([0, *map(len, policy)])[:-1])
        np.testing.assert_allclose(means, 1.0, rtol=1e-9)


@LAW
@given(policies())
def test_a_weight_does_not_depend_on_the_batch_it_is_in(policy):
    together = target_weights(everything_shown(policy))
    alone = [target_weights(everything_shown([probabilities_K])) for probabilities_K in policy]
    for target, weight_B in together.items():
        np.testing.assert_allclose(weight_B, np.concatenate([each[target] for each in alone]), rtol=1e-12)


def days(policy, days, decisions, chunk, random):
    """Alarms of simulated days of a policy [B, K] whose choices follow it, looked at after every `chunk` decisions."""
    every = everything_shown(list(policy))
    weights = {target: weight_B.reshape(policy.shape) for target, weight_B in target_weights(every).items()}
    cumulative_BK = np.cumsum(policy, axis=1)
    monitor, alarms = PropensityMonitor(), 0
    for day in range(days):
        row_B = random.integers(len(policy), size=decisions)
        drawn_B = (random.uniform(size=decisions)[:, None] > cumulative_BK[row_B, :-1]).sum(axis=1)
        found = {target: weight_BK[row_B, drawn_B].reshape(-1, chunk) for target, weight_BK in weights.items()}
        sums = {target: (each.sum(axis=1), np.square(each - 1.0).sum(axis=1)) for target, each in found.items()}
        for look in range(decisions // chunk):
            tally = Tally(counters={("propensity_decisions", ""): float(chunk)})
            for target, (weight, deviation) in sums.items():
                tally.counters["propensity_weight", target] = float(weight[look])
                tally.counters["propensity_deviation", target] = float(deviation[look])
            alarms += monitor.absorb(tally, day * DAY_S)
    return alarms


@pytest.mark.parametrize("concentration", [0.05, 1.0])
def test_two_thousand_days_without_error_raise_hardly_an_alarm(concentration):
    # at most .001 a day is promised: of 2,000 days 2, and more than 8 would come by chance once in 4,000 times
    random = np.random.default_rng(7)
    policy = 0.99 * random.dirichlet(np.full(6, concentration), size=200) + 0.01 / 6
    assert days(policy, 2_000, 20_000, 1_000, random) <= 8
