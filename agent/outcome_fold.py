"""Settled learning as a fold over the topic of outcomes: the same outcomes give the same weights, to the last bit.

Outcomes are learned in their one order, in updates that are cut by count from the start of the topic. So neither
batches nor arrival nor a restart from a checkpoint between two updates can be seen in the weights.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from agent.delay import Delays
from agent.learned import Learned
from agent.learning import Learning
from agent.outcome_order import OutcomeOrder
from envs.core import Closed
from envs.features import Featurizer
from envs.rows import Rows
from stream.events import Outcome

Relabel = Callable[[Rows], Rows]


class OutcomeFold:
    """Learns each outcome once, `update_rows` rows and what is left of the last outcome at a time.

    Args:
        learning: of the policy; as a checkpoint at `positions` says, or new.
        featurizer: makes rows of outcomes.
        positions: the first outcome to learn, by partition; its keys are all partitions.
        learned: which outcomes were learned before.
        relabel: what becomes of rows before they are learned; None learns them as they are.

    Attributes:
        positions: the next outcome to learn, by partition.
        learned: which outcomes were learned.
        order: outcomes that wait for those of other partitions.
    """

    def __init__(
        self,
        learning: Learning,
        featurizer: Featurizer,
        positions: Mapping[int, int],
        learned: Learned | None = None,
        relabel: Relabel | None = None,
    ) -> None:
        self.positions = dict(positions)
        self.learned = learned or Learned()
        self.order = OutcomeOrder(positions)
        self._learning, self._featurizer, self._relabel = learning, featurizer, relabel
        self._due: list[Closed] = []
        self._rows = 0

    def take(self, outcomes: Iterable[Closed], closed_ms: Mapping[int, int]) -> None:
        """Takes in committed outcomes, and up to which end of windows all have closed with these, by partition."""
        self.order.add(outcomes)
        self.order.passed(closed_ms)

    def update(self) -> bool:
        """Makes one update, if enough rows are there; returns whether it did."""
        enough = self._learning.policy.settings.update_rows
        for closed in self.order.release():
            self._due.append(closed)
            self._rows += len(closed.outcome.rewards)
            if self._rows >= enough:
                self._learn()
                return True
        return False

    def _learn(self) -> None:
        outcomes = [closed.outcome for closed in self._due]
        rows = self._featurizer.rows(outcomes)
        self._learning.learn(rows if self._relabel is None else self._relabel(rows), delays_of(outcomes))
        places = [(closed.position.partition, closed.position.offset) for closed in self._due]
        self.learned = self.learned.plus(places, len(rows))
        self.positions |= {partition: offset + 1 for partition, offset in places}
        self._due, self._rows = [], 0


def delays_of(outcomes: Iterable[Outcome]) -> Delays:
    """How long after its impression each shown slot was first clicked; NaN where no click earned a reward."""
    delay_ms, window_ms = [], []
    for outcome in outcomes:
        since_ms = outcome.impression.ts_ms
        for slot, reward in zip(outcome.recommendation.slate, outcome.rewards, strict=True):
            clicked_ms = [click.ts_ms for click in outcome.clicks if click.item_id == slot.item_id]
            delay_ms.append(min(clicked_ms) - since_ms if clicked_ms and reward > 0 else np.nan)
            window_ms.append(outcome.closed_ms - since_ms)
    return Delays(np.array(delay_ms, dtype=np.float64), np.array(window_ms, dtype=np.float64))
