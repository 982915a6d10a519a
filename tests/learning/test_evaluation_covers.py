"""On simulated logs whose truth is known, 95 % intervals hold the truth in 95 % of 300 logs, within binomial error.

With few clicks, or a target policy that shows what the log rarely did, they may hold it more often, never less.
"""

import numpy as np
import pytest

from agent.evaluation import ModelledLog, ips, snips
from deploy.bench.estimators_coverage import CONSISTENT, study
from deploy.bench.estimators_world import Question

LOGS, CONTEXTS, CANDIDATES = 300, 20, 5
FEWEST, MOST = 273, 297  # a binomial of 300 and .95 lies outside once in a thousand times on either side


class Simulated:
    """Contexts [C] with known click rates of K candidates; the target policy is sharper than that of the log."""

    def __init__(self, rate: float, seed: int, sharpness: float = 1.5) -> None:
        random = np.random.default_rng(seed)
        self.rate_CK = rate * random.uniform(0.2, 1.8, size=(CONTEXTS, CANDIDATES))
        score_CK = random.normal(size=(CONTEXTS, CANDIDATES))
        self.logging_CK, self.target_CK = softmax(score_CK / 2), softmax(sharpness * score_CK)
        self.truth = float((self.target_CK * self.rate_CK).sum(axis=1).mean())
        self.q_CK = 0.5 * self.rate_CK + 0.5 * rate * random.uniform(0.2, 1.8, size=(CONTEXTS, CANDIDATES))

    def log(self, decisions: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Rewards, propensities, target probabilities; what a wrong model expects of the logged and of the target."""
        context_N = random.integers(CONTEXTS, size=decisions)
        above_NK = random.uniform(size=(decisions, 1)) > np.cumsum(self.logging_CK, axis=1)[context_N, :-1]
        at_N = context_N, above_NK.sum(axis=1)
        reward_N = (random.uniform(size=decisions) < self.rate_CK[at_N]).astype(float)
        q_target_N = (self.target_CK * self.q_CK).sum(axis=1)[context_N]
        return reward_N, self.logging_CK[at_N], self.target_CK[at_N], self.q_CK[at_N], q_target_N


def softmax(score_CK):
    exp_CK = np.exp(score_CK)
    return exp_CK / exp_CK.sum(axis=1, keepdims=True)


ESTIMATORS = {
    "ips": lambda log: ips(*log[:3]),
    "snips": lambda log: snips(*log[:3]),
    "dr": lambda log: ModelledLog.of(*log).dr(),
    "sndr": lambda log: ModelledLog.of(*log).sndr(),
}


def covered(simulated, decisions, seed):
    """In how many logs the interval of each estimator holds the truth, and the mean of its values."""
    random = np.random.default_rng(seed)
    hits, values = dict.fromkeys(ESTIMATORS, 0), dict.fromkeys(ESTIMATORS, 0.0)
    for _ in range(LOGS):
        log = simulated.log(decisions, random)
        for name, estimator in ESTIMATORS.items():
            estimate = estimator(log)
            hits[name] += estimate.lower <= simulated.truth <= estimate.upper
            values[name] += estimate.value / LOGS
    return hits, values


@pytest.mark.parametrize(("rate", "decisions"), [(0.3, 1_000), (0.05, 3_000)])
def test_intervals_hold_the_truth_as_often_as_they_say(rate, decisions):
    simulated = Simulated(rate, seed=0)
    hits, values = covered(simulated, decisions, seed=1)
    assert all(FEWEST <= hit <= MOST for hit in hits.values()), hits
    assert values == pytest.approx(dict.fromkeys(ESTIMATORS, simulated.truth), rel=0.02)


def test_with_a_dozen_clicks_intervals_hold_it_no_less_often():
    hits, _ = covered(Simulated(0.012, seed=0), 1_000, seed=2)
    assert all(hit >= FEWEST for hit in hits.values()), hits


def test_with_uneven_weights_intervals_hold_it_no_less_often():
    simulated = Simulated(0.05, seed=0, sharpness=-2.0)  # what the log shows most, the target policy shows least
    hits, _ = covered(simulated, 3_000, seed=3)
    assert all(hit >= FEWEST for hit in hits.values()), hits
    estimate = snips(*simulated.log(3_000, np.random.default_rng(4))[:3])
    assert estimate.effective_sample_size < 600


@pytest.mark.parametrize("question", [Question("near", 0.05, 2_000), Question("far", 0.2, 2_000)])
def test_with_a_cross_fitted_model_every_log_of_a_world_of_its_own(question):
    """The benchmark's study, in small: 200 logs, no fewer than a binomial of .95 holds but once in a thousand."""
    found = {each.name: each for each in study(question, range(200), lambda _: None) if each.carries}
    for name in CONSISTENT:
        fewest = 0.95 - 3.1 * (0.95 * 0.05 / found[name].logs) ** 0.5
        assert found[name].covered >= fewest, found[name]
        assert abs(found[name].bias) <= 4 * found[name].bias_error + 0.01, found[name]
    assert found["dm"].covered < 0.5  # its interval leaves out how wrong the model is
    assert found["dm"].warned == 1.0  # and it says so
