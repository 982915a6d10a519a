"""The simplest policy, on the world's side: a uniform choice, at once. It fills a recorded log with feedback."""

from collections import deque

import msgspec
import numpy as np

from stream.events import Click, Impression, Logged, Recommendation, Slot
from stream.identity import decision_id
from stream.log import WorldLog

_STRATEGY = "uniform"


class UniformLog:
    """A `WorldLog` that answers each impression with a uniform choice, and passes impressions and clicks on.

    Args:
        log: where impressions and clicks go.
        seed: of the choices.
        logged: whether impressions carry the choice with its propensities, to be learned from and not decided.
    """

    def __init__(self, log: WorldLog, seed: int, *, logged: bool) -> None:
        self._log, self._logged = log, logged
        self._random = np.random.default_rng([seed, 3])
        self._decided: deque[Recommendation] = deque()

    def append(self, event: Impression | Click) -> None:
        """Passes an event on; an impression is decided."""
        if isinstance(event, Impression):
            event = self._decide(event)
        self._log.append(event)

    def recommendations(self, max_records: int, timeout_ms: int) -> list[Recommendation]:  # noqa: ARG002 - never waits
        """What was decided since."""
        return [self._decided.popleft() for _ in range(min(max_records, len(self._decided)))]

    def flush(self) -> None:
        """Flushes the log behind."""
        self._log.flush()

    def close(self) -> None:
        """Closes the log behind."""
        self._log.close()

    def _decide(self, impression: Impression) -> Impression:
        count, slots = len(impression.candidates), impression.slots
        chosen = self._random.permutation(count)[:slots].tolist()
        items = tuple(impression.candidates[index].item_id for index in chosen)
        propensities = tuple(1.0 / (count - place) for place in range(slots))
        self._decided.append(
            Recommendation(
                decision_id=decision_id(impression.user_id, impression.impression_id),
                impression_id=impression.impression_id,
                user_id=impression.user_id,
                ts_ms=impression.ts_ms,
                slate=tuple(Slot(item_id=i, propensity=p) for i, p in zip(items, propensities, strict=True)),
                strategy=_STRATEGY,
                policy_version="0.0",
            )
        )
        if not self._logged:
            return impression
        logged = Logged(item_ids=items, propensities=propensities, policy=_STRATEGY)
        return msgspec.structs.replace(impression, logged=logged)
