"""From clicks to rewards, each case by hand: weights of kinds, six aggregations, scale, bounds."""

import pytest
from pydantic import ValidationError

from envs.reward import RewardSettings, slot_rewards
from stream.events import Click, Recommendation, Slot

SHOWN = Recommendation(
    decision_id="d1",
    impression_id="i1",
    user_id="u1",
    ts_ms=1_000,
    slate=(Slot(item_id="a"), Slot(item_id="b")),
    strategy="s",
    policy_version="0.0",
)
KINDS = {"click": 1.0, "like": 3.0, "hide": -2.0}


def click(item="a", kind="click", value=1.0, ts_ms=1_001):
    return Click(impression_id="i1", user_id="u1", item_id=item, ts_ms=ts_ms, kind=kind, value=value)


def rewards(*clicks, **settings):
    return slot_rewards(RewardSettings(**settings), SHOWN, clicks)


def test_by_default_a_click_is_a_reward_of_1_for_its_slot():
    assert rewards() == (0.0, 0.0)
    assert rewards(click("b")) == (0.0, 1.0)
    assert rewards(click("b"), click("b"), click("a")) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("first", 1.0), ("last", 4.0), ("sum", 10.0), ("mean", 2.5), ("min", 1.0), ("max", 4.0)],
)
def test_several_clicks_on_a_slot_become_one_value(aggregation, value):
    # in the order of their times: click 1, like 1 (weight 3), hide -1 (weight -2), click 4: values 1, 3, 2, 4
    clicks = (click(value=1.0), click(kind="like"), click(kind="hide", value=-1.0), click(value=4.0))
    found = rewards(*clicks, kinds=KINDS, aggregation=aggregation, reward_max=10.0)
    assert found == (pytest.approx(value / 10.0), 0.0)


def test_first_and_last_are_by_the_order_given_which_is_that_of_time():
    clicks = (click(value=0.25), click(value=0.75))
    assert rewards(*clicks, aggregation="first") == (0.25, 0.0)
    assert rewards(*clicks, aggregation="last") == (0.75, 0.0)
    assert rewards(*clicks[::-1], aggregation="last") == (0.25, 0.0)


def test_a_kind_without_a_weight_does_not_count_not_even_as_a_zero():
    clicks = (click(kind="view", value=9.0), click(value=0.5))
    assert rewards(*clicks, aggregation="mean") == (0.5, 0.0)
    assert rewards(*clicks, aggregation="min") == (0.5, 0.0)
    assert rewards(click(kind="view")) == (0.0, 0.0)


def test_a_weight_of_zero_does_count():
    clicks = (click(kind="view"), click())
    assert rewards(*clicks, kinds={"view": 0.0, "click": 1.0}, aggregation="mean") == (0.5, 0.0)


@pytest.mark.parametrize(("value", "reward"), [(2.0, 0.5), (4.0, 1.0), (40.0, 1.0), (-1.0, 0.0)])
def test_the_value_is_scaled_and_kept_within_0_and_1(value, reward):
    assert rewards(click(value=value), reward_max=4.0) == (reward, 0.0)


@pytest.mark.parametrize("reward_max", [0.0, -1.0, float("inf"), float("nan")])
def test_the_scale_is_positive_and_finite(reward_max):
    with pytest.raises(ValidationError, match="reward_max"):
        RewardSettings(reward_max=reward_max)


@pytest.mark.parametrize("weight", [float("inf"), float("nan")])
def test_a_weight_is_finite(weight):
    with pytest.raises(ValidationError, match=r"kinds\.like"):
        RewardSettings(kinds={"like": weight})
