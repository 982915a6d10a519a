"""From clicks to rewards: kinds are weighted, a slot's clicks aggregated, the result scaled into [0, 1]."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from stream.events import Click, Recommendation
from stream.settings import Section

Weight = Annotated[float, Field(ge=-1e12, le=1e12)]  # with the bound of a click's value, sums stay finite
Aggregation = Literal["first", "last", "sum", "mean", "min", "max"]

_AGGREGATE: dict[Aggregation, Callable[[Sequence[float]], float]] = {
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "sum": sum,
    "mean": fmean,
    "min": min,
    "max": max,
}


class RewardSettings(Section):
    """How clicks become a reward."""

    kinds: dict[str, Weight] = Field({"click": 1.0}, description="weight of each kind of feedback; others count 0")
    aggregation: Aggregation = Field("max", description="how several clicks on one slot become one value")
    reward_max: FiniteFloat = Field(1.0, gt=0, description="the value that becomes a reward of 1")


def slot_rewards(settings: RewardSettings, shown: Recommendation, clicks: Sequence[Click]) -> tuple[float, ...]:
    """The reward of each slot, in [0, 1].

    Args:
        settings: weights, aggregation and scale.
        shown: the decision.
        clicks: its joined clicks by event time; those of a kind without a weight are left out.
    """
    return tuple(_reward(settings, [c for c in clicks if c.item_id == slot.item_id]) for slot in shown.slate)


def _reward(settings: RewardSettings, clicks: Sequence[Click]) -> float:
    values = [settings.kinds[click.kind] * click.value for click in clicks if click.kind in settings.kinds]
    if not values:
        return 0.0
    return min(max(_AGGREGATE[settings.aggregation](values) / settings.reward_max, 0.0), 1.0)
