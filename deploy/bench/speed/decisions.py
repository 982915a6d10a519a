"""Decisions with numeric features as events, and clicks that follow from them: what both sides of `deciding` are given.

Each impression has 20 candidates of 1,000 items; context and candidate have 32 features each. Context features stand in
the context, candidate features with the candidate, as users of either side would have it.
"""

from collections.abc import Sequence

import numpy as np

from deploy.bench.cost_filling import CANDIDATES, LAYOUTS, Traffic
from stream.events import Candidate, Context, Impression, Outcome, Recommendation

ITEMS = USERS = 1_000
_WINDOW_MS = 30_000


class Decisions:
    """A stream of impressions, and the outcomes of what is shown.

    Args:
        seed: of all of it.
    """

    def __init__(self, seed: int) -> None:
        self._traffic = Traffic(LAYOUTS["numeric"], seed)
        self._random = self._traffic.random
        self._number = 0
        features_VD = self._traffic.item_VD[:ITEMS].round(5)
        self._items = [
            Candidate(item_id=f"item-{number}", features=tuple(features_D))
            for number, features_D in enumerate(features_VD.tolist())
        ]

    def impressions(self, count: int) -> list[Impression]:
        """The next ones."""
        contexts = self._traffic.contexts(count).round(5).tolist()
        return [self._impression(tuple(features)) for features in contexts]

    def outcomes(self, impressions: Sequence[Impression], shown: Sequence[Recommendation]) -> list[Outcome]:
        """What became of recommendations."""
        numbers = [int(each.slate[0].item_id.removeprefix("item-")) for each in shown]
        contexts = [impression.context.features for impression in impressions]
        clicked = self._traffic.clicked(np.array(contexts, np.float32), self._traffic.item_VD[numbers])
        return [
            Outcome(impression=one, recommendation=what, rewards=(float(click),), closed_ms=one.ts_ms + _WINDOW_MS)
            for one, what, click in zip(impressions, shown, clicked.tolist(), strict=True)
        ]

    def _impression(self, features: tuple[float, ...]) -> Impression:
        self._number += 1
        chosen = self._random.choice(ITEMS, CANDIDATES, replace=False).tolist()
        return Impression(
            impression_id=f"impression-{self._number}",
            user_id=f"user-{self._random.integers(USERS)}",
            ts_ms=1_700_000_000_000 + 100 * self._number,
            context=Context(features=features),
            candidates=tuple([self._items[number] for number in chosen]),
        )
