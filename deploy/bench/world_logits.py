"""Click logits whose level and spread are set by two rates: that of a uniform choice and that of the best one."""

from typing import NamedTuple

import numpy as np

from deploy.bench.errors import BenchError
from deploy.bench.rounds import Floats

_STEPS = 22
_WIDEST = 64.0


class Scaling(NamedTuple):
    """The logit of a click is `intercept + scale · raw + fixed`."""

    intercept: float
    scale: float

    def probability(self, raw_BK: Floats, fixed_BK: Floats) -> Floats:
        """The click probabilities [B, K].

        Args:
            raw_BK: what the taste says, of any unit.
            fixed_BK: what is added as it is, in logits.
        """
        return sigmoid(self.intercept + self.scale * raw_BK + fixed_BK)


def sigmoid(logit: Floats) -> Floats:
    """The probability of a logit.

    >>> sigmoid(np.array([0.0, 800.0])).tolist()
    [0.5, 1.0]
    """
    return 0.5 * (1.0 + np.tanh(0.5 * logit))


def calibrate(raw_BK: Floats, fixed_BK: Floats, uniform: float, oracle: float) -> Scaling:
    """The scaling under which a sample of rounds has two given click rates; found by nested bisection.

    Args:
        raw_BK: what the taste says of each candidate of a sample of rounds.
        fixed_BK: what is added to the logit as it is.
        uniform: click rate of a uniform choice.
        oracle: click rate of the best choice.

    Raises:
        BenchError: no scale between 0 and 64 reaches the rate of the best choice.

    >>> raw = np.random.default_rng(0).standard_normal((4000, 20))
    >>> chance = calibrate(raw, np.zeros_like(raw), 0.05, 0.25).probability(raw, np.zeros_like(raw))
    >>> [round(float(rate), 3) for rate in (chance.mean(), chance.max(axis=1).mean())]
    [0.05, 0.25]
    """
    low, high = 0.0, _WIDEST
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        found = _with_level(raw_BK, fixed_BK, middle, uniform)
        if found.probability(raw_BK, fixed_BK).max(axis=1).mean() < oracle:
            low = middle
        else:
            high = middle
    if high == _WIDEST or low == 0.0:
        msg = f"The best choice's click rate must be reachable by a scale in (0, {_WIDEST:g}); got {oracle}"
        raise BenchError(msg)
    return _with_level(raw_BK, fixed_BK, high, uniform)


def _with_level(raw_BK: Floats, fixed_BK: Floats, scale: float, uniform: float) -> Scaling:
    logit_BK = scale * raw_BK + fixed_BK
    low, high = -logit_BK.max() - 20.0, -logit_BK.min() + 20.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if sigmoid(middle + logit_BK).mean() < uniform:
            low = middle
        else:
            high = middle
    return Scaling(float(high), scale)
