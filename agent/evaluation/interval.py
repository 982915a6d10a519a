"""95 % intervals: normal where the log is large, wider where few decisions or few clicks carry the answer."""

import math
from dataclasses import dataclass

_Z = 1.959963984540054  # the .975 quantile of the normal distribution

_SMALL_STEP = 0.1  # of a standard error

ENOUGH_DECISIONS = 100.0
ENOUGH_CLICKS = 30.0


@dataclass(frozen=True, slots=True)
class Spread:
    """What an interval is drawn from.

    Attributes:
        value: the estimate.
        std_error: its standard error.
        decisions: how many decisions carry it, the effective sample size.
        step: what one more click would add, at a decision of the mean weight under the target policy,
            sum w^2 / sum w; 0 where rewards may be negative.
        positive: whether the estimate adds up terms of which none is negative.
        bounds: between which the true value lies.
    """

    value: float
    std_error: float
    decisions: float
    step: float
    positive: bool
    bounds: tuple[float, float]

    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval, cut to the bounds.

        With at least 100 effective decisions, and where one click more is a step of at most a tenth of the standard
        error (100 clicks of equal weights), it is normal, value ± 1.96 std_error. Elsewhere 1.96 gives way to
        Student's quantile at one degree of freedom less than effective decisions, and the upper end allows for a
        click that was not seen: mean value + step, variance std_error^2 + step^2. A sum of terms that are not
        negative is then read as a gamma variable of that mean and variance, skewed like a count of few clicks; of
        equal weights and rare clicks it is a count's interval, with 0 clicks 0 to 3.7 / N. Such an interval is exact
        for what it promises at least, and holds the truth too often; from 30 clicks of equal weights on, where it can
        be near 95 % instead, both ends are those of half a click more (mid-P). Weights so uneven that large ones were
        hardly seen still make it too narrow; warnings tell of them.

        References:
            Fay, Feuer (1997), Confidence intervals for directly standardized rates: a method based on the gamma
            distribution, who let the unseen click have the largest weight, too careful where weights differ much;
            Tiwari, Clegg, Zou (2006), Efficient interval estimation for age-adjusted cancer rates, the mean weight;
            Fay, Kim (2017), Confidence intervals for directly standardized rates using mid-p gamma intervals.
        """
        low, high = self.bounds
        if not self.decisions > 1.0 or not math.isfinite(self.std_error):
            return self.bounds
        if self.decisions >= ENOUGH_DECISIONS and self.step <= _SMALL_STEP * self.std_error:
            lower, upper = self.value - _Z * self.std_error, self.value + _Z * self.std_error
        else:
            lower, upper = self._careful()
        return min(max(lower, low), high), min(max(upper, low), high)

    def _careful(self) -> tuple[float, float]:
        quantile = student_quantile(self.decisions - 1.0)
        if self.step < self.std_error / math.sqrt(ENOUGH_CLICKS):
            mean, deviation = self.value + self.step / 2.0, math.hypot(self.std_error, self.step / math.sqrt(2.0))
            return self._end(mean, deviation, -quantile), self._end(mean, deviation, quantile)
        least = max(self.std_error, self.step)
        mean, deviation = self.value + self.step, math.hypot(self.std_error, self.step)
        return self._end(self.value, least, -quantile), self._end(mean, deviation, quantile)

    def _end(self, mean: float, deviation: float, quantile: float) -> float:
        return gamma_quantile(mean, deviation, quantile) if self.positive else mean + quantile * deviation


def student_quantile(degrees: float) -> float:
    """The .975 quantile of Student's distribution; within 1 % from 2 degrees of freedom on, too small below 1.5.

    References:
        Abramowitz, Stegun (1964), Handbook of mathematical functions, 26.7.5.

    >>> [round(student_quantile(degrees), 2) for degrees in (5, 10, 1e9)]
    [2.57, 2.23, 1.96]
    """
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, start=1))


def gamma_quantile(mean: float, deviation: float, z: float) -> float:
    """Where a gamma variable lies whose normal score is z; 0 where that falls below 0.

    The cube root of a gamma variable is near normal (Wilson, Hilferty, 1931, The distribution of chi-square): with
    the shape k = (mean / deviation)^2 the quantile is mean (1 - 1 / 9k + z / 3 sqrt(k))^3.

    >>> round(gamma_quantile(1.0, 1.0, 1.96), 2), round(gamma_quantile(100.0, 10.0, -1.96), 1)
    (3.67, 81.4)
    """
    if mean <= 0.0 or deviation <= 0.0:
        return max(mean, 0.0)
    root = mean / deviation
    return float(mean * max(1.0 - 1.0 / (9.0 * root**2) + z / (3.0 * root), 0.0) ** 3)
