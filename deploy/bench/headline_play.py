"""Slates of headlines played side by side by a player, and what it earned beside a uniform choice and the best arms.

Updates come after 16 impressions a slate at first, later after an eighth of what was shown, at most 256.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deploy.bench.headline_players import HeadlinePlayer
from deploy.bench.headline_queues import Queues
from deploy.bench.headline_tests import Headlines
from deploy.bench.rounds import Floats, Ints

_FIRST, _LARGEST, _SHARE = 16, 256, 8


@dataclass(frozen=True)
class Earned:
    """What was earned in S slates up to a number of impressions a slate.

    Attributes:
        slate_S: the slates, by number.
        clicks_S: clicks drawn.
        rated_S: clicks that were expected of the arms shown, given what was left in their queues.
        uniform_S, best_S: clicks expected of a uniform choice among the arms that were left, and of the best of these
            by its record.
        emptied_S: whether an arm ran empty, and left for all of these.
    """

    slate_S: Ints
    clicks_S: Floats
    rated_S: Floats
    uniform_S: Floats
    best_S: Floats
    emptied_S: Floats

    @staticmethod
    def together(parts: "Sequence[Earned]") -> "Earned":
        """All slates of several."""
        names = Earned.__dataclass_fields__
        return Earned(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def gain(self) -> tuple[float, float]:
        """Clicks over those of a uniform choice, less 1, and the standard error over slates."""
        return ratio(self.clicks_S, self.uniform_S)

    def rated_gain(self) -> tuple[float, float]:
        """The same of the clicks that were expected as each was drawn: equal in the mean, with less chance in it."""
        return ratio(self.rated_S, self.uniform_S)

    def best_gain(self) -> tuple[float, float]:
        """That of the arm with the highest recorded rate, which is also the luckiest."""
        return ratio(self.best_S, self.uniform_S)


def ratio(ours_S: Floats, theirs_S: Floats) -> tuple[float, float]:
    """Sum over sum, less 1, and its standard error over slates by linearisation.

    >>> ratio(np.array([3.0, 3.0]), np.array([2.0, 2.0]))
    (0.5, 0.0)
    """
    gain = float(ours_S.sum() / theirs_S.sum()) - 1.0
    apart_S = ours_S - (1.0 + gain) * theirs_S
    return gain, float(np.sqrt((apart_S**2).sum()) / theirs_S.sum())


def steps(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Impressions a slate before and within each update, up to the largest size, with a cut at each size.

    >>> list(steps([40]))
    [(0, 16), (16, 16), (32, 8)]
    """
    start = 0
    while start < max(sizes):
        count = min(max(start // _SHARE, _FIRST), _LARGEST, min(size for size in sizes if size > start) - start)
        yield start, count
        start += count


def play(
    tests: Headlines, slates: Sequence[int], player: HeadlinePlayer, sizes: Sequence[int], random: np.random.Generator
) -> dict[int, Earned]:
    """Plays slates side by side; what was earned up to each size."""
    queues, found = Queues(tests, slates), dict[int, Earned]()
    clicks_S, expected_S3 = np.zeros(len(slates)), np.zeros((len(slates), 3))
    for start, count in steps(sizes):
        drawn = queues.draw(player.shares(queues), count, random)
        player.learn(queues, drawn)
        clicks_S = clicks_S + np.add.reduceat(drawn.clicks_A, queues.starts_S)
        expected_S3 = expected_S3 + drawn.expected_S3
        if start + count in sizes:
            emptied_S = queues.emptied_S.astype(float)
            rated_S, uniform_S, best_S = expected_S3.T
            found[start + count] = Earned(np.array(slates), clicks_S, rated_S, uniform_S, best_S, emptied_S)
    return found
