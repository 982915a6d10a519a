"""Thompson sampling of one click rate for each item, blind to every feature."""

import numpy as np

from deploy.bench.rounds import Floats, Ints, Learned, Open, Seen, World


class FlatPlayer:
    """Beta-Bernoulli Thompson sampling; Chapelle, Li (2011), algorithm 2.

    Args:
        name: What the report calls it.
        world: The world it will play; nothing of it is used.
        seed: Of its draws.
        prior: Clicks and misses that each item starts with.
    """

    def __init__(self, name: str, world: World, seed: int, prior: tuple[float, float]) -> None:  # noqa: ARG002
        self.name = name
        self._prior = prior
        self._random = np.random.default_rng([seed, 23])
        self._counts: dict[int, tuple[float, float]] = {}

    def decide(self, seen: Seen) -> tuple[Ints, Floats]:
        """The candidate whose drawn click rate is highest; its propensity is NaN."""
        counts = np.array([self._counts.get(item, self._prior) for item in seen.item_BK.ravel().tolist()])
        rate_BK = self._random.beta(counts[:, 0], counts[:, 1]).reshape(seen.item_BK.shape)
        return np.argmax(rate_BK, axis=1), np.full(len(rate_BK), np.nan)

    def learn(self, closed: Learned, still_open: Open | None) -> None:  # noqa: ARG002 - a peer learns what closed
        """Counts the clicks and misses of the items that were chosen."""
        item_R = closed.item_RK[np.arange(len(closed.action_R)), closed.action_R]
        for item, reward in zip(item_R.tolist(), closed.reward_R.tolist(), strict=True):
            clicks, misses = self._counts.get(item, self._prior)
            self._counts[item] = (clicks + reward, misses + 1.0 - reward)
