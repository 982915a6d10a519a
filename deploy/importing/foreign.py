"""What readers of foreign logs share: counting what is lost, and clicks from rewards."""

from collections import Counter
from dataclasses import dataclass

from deploy.errors import HistoryError
from envs.parts import CoreSettings
from stream.events import Click, Impression

CLICK = "click"
AFTER_MS = 1  # a foreign log does not say when a reward came; so soon it lies within any window


@dataclass(frozen=True)
class Foreign:
    """What became of a foreign log.

    Attributes:
        left_out: what could not be carried over, by reason.
        notes: what was carried over with a loss, by what a reader must know.
    """

    left_out: Counter[str]
    notes: Counter[str]


def click_on(impression: Impression, item_id: str, reward: float, where: str, settings: CoreSettings) -> Click | None:
    """The click that becomes a reward when the log is read with the same settings; None where there was none.

    Args:
        impression: what it belongs to.
        item_id: of what was rewarded.
        reward: as the log has it.
        where: it stands, for the error.
        settings: of the reward.

    Raises:
        HistoryError: the reward lies outside 0 and `core.reward.reward_max`, so it would be cut.
    """
    weight, most = settings.reward.kinds.get(CLICK, 0.0), settings.reward.reward_max
    if not 0.0 <= reward * weight <= most or (reward and not weight):
        raise HistoryError(
            f"rewards must lie in 0 to core.reward.reward_max ({most:g}); got {reward:g} in {where}. Set "
            f"core.reward.reward_max to the largest, here and wherever the result is read, and raise negative ones"
        )
    if not reward:
        return None
    return Click(
        impression_id=impression.impression_id,
        user_id=impression.user_id,
        item_id=item_id,
        ts_ms=impression.ts_ms + AFTER_MS,
        value=reward,
    )
