"""The strategies of exploration: each makes shares of its own from a belief; `agent.explore` puts the floor under them.

A strategy takes the settings and a belief of N candidates of B decisions, and returns the share [N] of each candidate,
not negative, summing to 1 within a decision. Of equal candidates the first counts as the best.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from agent.belief import Belief, Doubles, Places, first_best, sigmoid, wins
from agent.errors import ExploreError
from agent.settings import ExploreSettings

_EVALUABLE_TEMPERATURE = 0.3
_GUMBEL_SD = math.pi / math.sqrt(6.0)
_LEAST_SD = 1e-6
_LEAST_VALUE = 1e-9


def inverse_gap_weighting(settings: ExploreSettings, belief: Belief) -> Doubles:
    """q_k = 1 / (K + gamma (m_max - m_k)) for all but the best, which takes the rest; m = sigmoid(logit + sd).

    Where the belief has a level, only that share of it follows the optimistic m; the rest follows m = sigmoid(logit).

    The share `evaluable` of it is softmax(logit / 0.3) instead. What is nearly as good is then shown more often than
    what is far behind, so that other policies can be judged by the log with smaller weights.

    References:
        Foster, Rakhlin (2020), Beyond UCB: optimal and efficient contextual bandits with regression oracles
        (SquareCB), algorithm 1; gamma = gap_scale * sqrt(n).
    """
    gamma = settings.gap_scale * math.sqrt(max(belief.rows, 1))
    hope_N = sigmoid(belief.logit_N + belief.sd_N)
    shares_N = _by_gaps(hope_N, first_best(hope_N, belief.counts_B), gamma, belief)
    if belief.level_B is not None:
        level_N = belief.spread(belief.level_B)
        shares_N = level_N * shares_N + (1.0 - level_N) * _by_gaps(belief.mean_N, belief.greedy_B, gamma, belief)
    if settings.evaluable:
        near_N = _softmax(belief.logit_N, 1.0 / _EVALUABLE_TEMPERATURE, belief)
        shares_N = (1.0 - settings.evaluable) * shares_N + settings.evaluable * near_N
    return shares_N


def greedy(settings: ExploreSettings, belief: Belief) -> Doubles:  # noqa: ARG001
    """The candidate with the highest mean, always; only the floor explores.

    References:
        Sutton, Barto (2018), Reinforcement learning, section 2.2, equation 2.2.
    """
    shares_N = np.zeros(len(belief.logit_N))
    shares_N[belief.greedy_B] = 1.0
    return shares_N


def epsilon_greedy(settings: ExploreSettings, belief: Belief) -> Doubles:
    """The best candidate, and with probability epsilon_n any of them, evenly.

    epsilon_n = epsilon / (1 + n / epsilon_decay_rows), never below `epsilon_min` (nor above epsilon): it falls as
    1/n, the rate at which the regret stays logarithmic, and the least of it keeps watch on what changes.

    References:
        Auer, Cesa-Bianchi, Fischer (2002), Finite-time analysis of the multiarmed bandit problem, figure 3 and
        theorem 3 (epsilon_n-greedy: epsilon_n = min(1, cK / (d^2 n))).
    """
    decayed = settings.epsilon / (1.0 + belief.rows / settings.epsilon_decay_rows)
    epsilon = max(decayed, min(settings.epsilon, settings.epsilon_min))
    shares_N = epsilon / belief.counts_N.astype(np.float64)
    shares_N[belief.greedy_B] += 1.0 - epsilon
    return shares_N


def boltzmann(settings: ExploreSettings, belief: Belief) -> Doubles:
    """pi_k proportional to exp(C * S_k), S_k the log-odds of the candidate's mixed value.

    The value mixes what the item earned with what the policy predicts of it here, Q_k = alpha_k r_k + (1 - alpha_k)
    sigmoid(logit_k), alpha_k = n_k / (n_k + value_rows): r_k is the item's mean reward over its n_k resolved rows. A
    new item goes by its features and text alone. The mean knows nothing of the context, hence a large `value_rows`.

    C is `inverse_temperature`; where that is None, it is pi / (sqrt(6) s), s the root mean square of the decision's
    posterior standard deviations. Drawing so is to take the best of S_k + s * Gumbel_k / sd(Gumbel): noise as large as
    the uncertainty. C grows with what is known of these very candidates, about as sqrt(n), and falls when new ones
    come; a schedule in time alone would explore too little or too much, whichever way it grows.

    Raises:
        ExploreError: the belief holds no rows and rewards of items; C is adaptive and a decision's deviations are 0.

    References:
        Cesa-Bianchi, Gentile, Lugosi, Neu (2017), Boltzmann exploration done right: section 3 against monotone
        schedules, section 4 for Gumbel noise by uncertainty (there one scale an arm, here one a decision, which
        keeps the propensities in closed form). Mixed values: the posterior mean of a beta prior worth `value_rows`.
    """
    rows_N = belief.held("item_rows_N", settings.strategy)
    reward_N = belief.held("item_reward_N", settings.strategy)
    alpha_N = rows_N / (rows_N + settings.value_rows)
    predicted_N = belief.mean_N
    value_N = np.where(rows_N > 0, alpha_N * reward_N + (1.0 - alpha_N) * predicted_N, predicted_N)
    value_N = np.clip(value_N, _LEAST_VALUE, 1.0 - _LEAST_VALUE)
    score_N = np.where(rows_N > 0, np.log(value_N) - np.log1p(-value_N), belief.logit_N)
    if settings.inverse_temperature is not None:
        return _softmax(score_N, settings.inverse_temperature, belief)
    squares_B = belief.total(_uncertain(settings, belief) ** 2)
    sd_B = np.maximum(np.sqrt(squares_B / belief.counts_B), _LEAST_SD)
    return _softmax(score_N, belief.spread(_GUMBEL_SD / sd_B), belief)


def linucb(settings: ExploreSettings, belief: Belief) -> Doubles:
    """How often each candidate is the best by logit_k + bonus * beta_m * sd_k, over M scales beta_1 < ... < beta_M.

    The scales are the quantiles of |N(0, 1)| at (m - 1/2) / M, the same for all candidates: one plain UCB would choose
    for certain, so its bonus is random, and with finitely many scales the propensities are exact. One scale gives
    LinUCB with alpha = 0.67 `bonus`.

    Raises:
        ExploreError: a decision's standard deviations are all 0.

    References:
        Li, Chu, Langford, Schapire (2010), A contextual-bandit approach to personalized news article recommendation,
        algorithm 1. Vaswani, Mehrabian, Durand, Kveton (2020), Old dog learns new tricks: randomized UCB for bandit
        problems (RandUCB: one discretised bonus scale, drawn once for all arms).
    """
    beta_M = settings.bonus * _half_normal(settings.bonus_scales)
    return wins(belief.logit_N + beta_M[:, None] * _uncertain(settings, belief), belief.counts_B)


def thompson(settings: ExploreSettings, belief: Belief) -> Doubles:
    """How often each candidate is the best over M draws of the logits from the posterior.

    Choosing by one draw has no known propensity; choosing by the shares of M draws has an exact one, and is Thompson
    sampling from the posterior that these draws make up. Whether the draws are of a linear model's posterior or of an
    ensemble of networks (`neural_thompson`) is the policy's affair.

    Raises:
        ExploreError: the belief holds no samples, or not of all candidates.

    References:
        Thompson (1933), On the likelihood that one unknown probability exceeds another; Agrawal, Goyal (2013),
        Thompson sampling for contextual bandits with linear payoffs, algorithm 1. Riquelme, Tucker, Snoek (2018),
        Deep Bayesian bandits showdown (NeuralLinear).
    """
    return wins(belief.held("samples_MN", settings.strategy), belief.counts_B)


def _by_gaps(value_N: Doubles, best_B: Places, gamma: float, belief: Belief) -> Doubles:
    gap_N = belief.spread(value_N[best_B]) - value_N
    shares_N: Doubles = 1.0 / (belief.counts_N + gamma * gap_N)
    shares_N[best_B] = 0.0
    shares_N[best_B] = 1.0 - belief.total(shares_N)
    return shares_N


def _softmax(score_N: Doubles, inverse_temperature: Doubles | float, belief: Belief) -> Doubles:
    weight_N = np.exp(inverse_temperature * (score_N - belief.spread(belief.most(score_N))))
    return weight_N / belief.spread(belief.total(weight_N))


def _uncertain(settings: ExploreSettings, belief: Belief) -> Doubles:
    """The standard deviations [N], of which every decision has one above 0."""
    if not belief.most(belief.sd_N).all():
        raise ExploreError(
            f"belief for strategy {settings.strategy} must have a standard deviation above 0 in every decision; "
            "got sd_N = 0 for all candidates of one"
        )
    return belief.sd_N


@lru_cache
def _half_normal(count: int) -> Doubles:
    """`count` quantiles of |N(0, 1)|, each worth the same."""
    normal = NormalDist()
    return np.array([normal.inv_cdf(0.5 + (place + 0.5) / (2 * count)) for place in range(count)])
