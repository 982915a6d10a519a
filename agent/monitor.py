"""Do choices go on agreeing with the propensities that are logged for them? A watch on every published decision.

For a target policy pi the importance weight w = pi(shown) / propensity has the mean 1 if what was shown was drawn from
the logged probabilities. Runners count weights of two fixed targets; sums add up over runners and restarts, and
`PropensityMonitor` bounds the mean weight at every moment at once, so that it may be looked at as often as one likes.

    count_weights(decisions, meter)          # the deciding side, after each commit
    monitor.absorb(meter.take(), now_s)      # the driver
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.decision import Decision
from stream.meter import Meter, Tally

TARGETS = ("greedy", "tempered")
DAY_S = 86_400.0
_MOST = 2.0  # no weight lies above it
_BETS_J = 0.5 * 2.0 ** -np.arange(9.0)
_COST_J = -np.log1p(-_BETS_J) - _BETS_J  # psi_E of each bet, see `Sums.interval`

Doubles = NDArray[np.float64]


class Shown(NamedTuple):
    """What was published of B decisions with N candidates in all, first slots.

    Attributes:
        probabilities_N: of every candidate; positive.
        counts_B: candidates of each decision.
        shown_B: index of what was shown, within its decision.
        propensity_B: what was logged for it.
    """

    probabilities_N: Doubles
    counts_B: NDArray[np.int64]
    shown_B: NDArray[np.int64]
    propensity_B: Doubles


def target_weights(shown: Shown) -> dict[str, Doubles]:
    """The importance weight [B] of each target; in [0, 2], and of mean 1 where choices follow what was logged.

    `greedy` always shows the most probable candidate, the first of equals: it tells when exploration is more or less
    than logged.
    `tempered` shows in proportion to the square root of the probability: it tells when the rest is drawn wrongly.
    Where a weight could exceed 2, the target is mixed with the logged probabilities until it cannot.

    >>> shown = Shown(np.array([0.8, 0.2]), np.array([2]), np.array([0]), np.array([0.8]))
    >>> target_weights(shown)["greedy"], target_weights(shown._replace(shown_B=np.array([1])))["greedy"]
    (array([1.25]), array([0.]))
    """
    starts_B = np.cumsum(shown.counts_B) - shown.counts_B
    segment_N = np.repeat(np.arange(len(shown.counts_B)), shown.counts_B)
    hits = np.flatnonzero(shown.probabilities_N == np.maximum.reduceat(shown.probabilities_N, starts_B)[segment_N])
    greedy_N = np.zeros(len(segment_N))
    greedy_N[hits[np.searchsorted(hits, starts_B)]] = 1.0
    weights = {}
    for name, share_N in zip(TARGETS, (greedy_N, np.sqrt(shown.probabilities_N)), strict=True):
        target_N = share_N / np.add.reduceat(share_N, starts_B)[segment_N]
        excess_B = np.maximum.reduceat(target_N / shown.probabilities_N, starts_B) - 1.0
        mix_B = 1.0 / np.maximum(excess_B, _MOST - 1.0)
        at_B = starts_B + shown.shown_B
        mixed_B = mix_B * target_N[at_B] + (1.0 - mix_B) * shown.probabilities_N[at_B]
        weights[name] = np.minimum(mixed_B / shown.propensity_B, _MOST)
    return weights


def count_weights(decisions: Sequence[Decision], meter: Meter) -> None:
    """Counts the weights of published decisions, as the sums that a monitor reads.

    Args:
        decisions: those without probabilities or without propensity are left out.
        meter: counts `propensity_decisions`, and by target `propensity_weight`, the sum of the weights, and
            `propensity_deviation`, the sum of their squared deviations from 1.
    """
    known = [(d.probabilities, d.slate[0], p) for d in decisions if d.probabilities and (p := d.propensities[0])]
    if not known:
        return
    probabilities_B, shown_B, propensity_B = zip(*known, strict=True)
    shown = Shown(
        np.fromiter(chain.from_iterable(probabilities_B), np.float64),
        np.array([len(probabilities_K) for probabilities_K in probabilities_B]),
        np.array(shown_B),
        np.array(propensity_B),
    )
    meter.count("propensity_decisions", len(known))
    for target, weight_B in target_weights(shown).items():
        meter.count("propensity_weight", float(weight_B.sum()), label=target)
        meter.count("propensity_deviation", float(np.square(weight_B - 1.0).sum()), label=target)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is known of one target's weights: how many, their sum, and that of their squared deviations from 1."""

    count: float = 0.0
    weight: float = 0.0
    deviation: float = 0.0

    @property
    def mean(self) -> float:
        """The mean weight; 1 where there is none."""
        return self.weight / self.count if self.count else 1.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.count + other.count, self.weight + other.weight, self.deviation + other.deviation)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of the mean weight, of weights in [0, 2]; over all times together they fail with at most `alpha`.

        An empirical-Bernstein confidence sequence that predicts 1: for y = w - 1 >= -1 and a bet 0 <= b < 1,
        exp(b y - psi(b) y^2) <= 1 + b y, so that exp(b (S - n mean) - psi(b) V) is a supermartingale below which
        Ville's inequality draws a line. The best of nine lines counts, and alpha is shared among them and both sides.

        References:
            Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences,
            theorem 4; Fan, Grama, Liu (2015), Exponential inequalities for martingales with applications.

        >>> low, high = Sums(count=10_000, weight=10_010, deviation=1_000).interval(0.001)
        >>> round(low, 3), round(high, 3)
        (0.986, 1.016)
        """
        if not self.count:
            return 0.0, _MOST
        nats = math.log(2.0 * len(_BETS_J) / alpha)
        radius = float(((_COST_J * self.deviation + nats) / _BETS_J).min()) / self.count
        return max(self.mean - radius, 0.0), min(self.mean + radius, _MOST)


class PropensityMonitor:
    """Bounds the mean weight of each target since the day began, from the counts of any number of runners.

    A day without error alarms with a probability of at most `alpha`, however often it is looked at, whatever the policy
    learns meanwhile: each draw follows its own seed. What a dead runner did not hand over is missing, whatever was
    drawn, so that misleads nobody.

    Args:
        alpha: probability of a false alarm a day.
        sums: of each target, to go on from those of an earlier monitor.

    Attributes:
        sums: since the day began, by target.
        alarmed: whether, on this day, some interval has excluded 1.

    Raises:
        ValueError: alpha is no probability.

    >>> monitor = PropensityMonitor()
    >>> tally = Tally(counters={("propensity_decisions", ""): 5e4, ("propensity_weight", "greedy"): 5.2e4,
    ...     ("propensity_deviation", "greedy"): 5e3, ("propensity_weight", "tempered"): 5e4})
    >>> monitor.absorb(tally, now_s=0.0)
    True
    """

    def __init__(self, alpha: float = 0.001, sums: dict[str, Sums] | None = None) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"monitor alpha must lie between 0 and 1; got {alpha}")
        self._alpha = alpha / len(TARGETS)
        self._began_s: float | None = None
        self.sums = dict.fromkeys(TARGETS, Sums()) | (sums or {})
        self.alarmed = False

    def absorb(self, tally: Tally, now_s: float) -> bool:
        """Takes in what was counted since the last call; a new day starts anew.

        Args:
            tally: of one runner, or of several.
            now_s: seconds from an arbitrary start.

        Returns:
            Whether this raised the alarm.
        """
        if self._began_s is None:
            self._began_s = now_s
        elif now_s - self._began_s >= DAY_S:
            self.sums, self._began_s, self.alarmed = dict.fromkeys(TARGETS, Sums()), now_s, False
        found = tally.counters
        count = found.get(("propensity_decisions", ""), 0.0)
        if not count:
            return False
        for target in TARGETS:
            sums = (found.get((f"propensity_{name}", target), 0.0) for name in ("weight", "deviation"))
            self.sums[target] += Sums(count, *sums)
        before, self.alarmed = self.alarmed, self.alarmed or any(not self._holds(target) for target in TARGETS)
        return self.alarmed and not before

    def interval(self, target: str) -> tuple[float, float]:
        """Bounds of the mean weight of a target on this day."""
        return self.sums[target].interval(self._alpha)

    def _holds(self, target: str) -> bool:
        low, high = self.interval(target)
        return low <= 1.0 <= high
