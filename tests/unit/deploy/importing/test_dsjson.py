"""dsjson: what a line becomes, and what is said of lines that become nothing."""

import json
from collections import Counter

import pytest

from deploy.errors import HistoryError
from deploy.importing.dsjson import read_dsjson
from deploy.importing.foreign import Foreign
from deploy.importing.hashed import COLUMNS, hashed
from deploy.importing.importing import import_file
from envs.parts import CoreSettings
from envs.reward import RewardSettings
from stream.events import Click, Impression

SHARED = {"GUser": {"id": "person5", "major": "engineering"}}
ACTIONS = [{"TAction": {"topic": "Ski"}}, {"TAction": {"topic": "Herbs"}}, {"TAction": {"topic": "Games"}}]


def line(**more):
    """A decision for the second of three actions, shown with the probability .6 and rewarded by 1."""
    event = {
        "_label_cost": -1.0,
        "_label_probability": 0.6,
        "_label_Action": 2,
        "_labelIndex": 1,
        "o": [{"v": 1.0, "EventId": "e1", "ActionTaken": False}],
        "Timestamp": "2020-11-15T17:09:31.8350000Z",
        "EventId": "e1",
        "a": [2, 1, 3],
        "p": [0.6, 0.2, 0.2],
        "c": {**SHARED, "_multi": ACTIONS},
        "VWState": {"m": "N/A"},
    }
    return {name: value for name, value in (event | more).items() if value is not None}


def read(tmp_path, *lines, settings=None):
    path = tmp_path / "log.json"
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines))
    foreign = Foreign(Counter(), Counter())
    return list(read_dsjson(path, settings or CoreSettings(), foreign)), foreign


def test_a_decision_becomes_an_impression_that_carries_it_and_a_click(tmp_path):
    (impression, click), foreign = read(tmp_path, line())
    assert isinstance(impression, Impression)
    assert (impression.impression_id, impression.user_id) == ("e1", "person5")
    assert impression.ts_ms == 1_605_460_171_835  # 2020-11-15 17:09:31.835 UTC
    ids = [candidate.item_id for candidate in impression.candidates]
    assert len(set(ids)) == 3
    assert impression.logged.item_ids == (ids[1],)
    assert impression.logged.propensities == (0.6,)
    assert isinstance(click, Click)
    assert (click.item_id, click.value, click.user_id, click.impression_id) == (ids[1], 1.0, "person5", "e1")
    assert not foreign.left_out
    assert not foreign.notes


def test_features_are_hashed_by_name_and_ids_are_none(tmp_path):
    (impression, _), _ = read(tmp_path, line())
    assert impression.context.features == hashed({"GUser": {"major": "engineering"}})
    assert impression.candidates[0].features == hashed({"TAction": {"topic": "Ski"}})
    assert len(impression.context.features) == COLUMNS
    assert sorted(map(abs, impression.context.features))[-1] == 1.0


def test_hashing_by_hand():
    # a number stands for itself, a text for one; a list is told by place; truths count where they hold
    one, two = hashed({"n": 0.5}), hashed({"n": {"m": 3}})
    assert (sum(map(abs, one)), sum(map(abs, two))) == (0.5, 3.0)
    assert hashed({"on": True, "off": False, "nothing": None}) == hashed({"on": 1.0})
    assert hashed({"v": [1.0, 2.0]}) == tuple(
        a + b for a, b in zip(hashed({"v": [1.0, 0.0]}), hashed({"v": [0.0, 2.0]}), strict=True)
    )
    assert hashed({"tags": ["a", "b"]}) == tuple(
        a + b for a, b in zip(hashed({"tags": "a"}), hashed({"tags": "b"}), strict=True)
    )


def test_the_same_action_has_the_same_item_in_every_event(tmp_path):
    (first, _, second, _), _ = read(tmp_path, line(), line(EventId="e2", c={"_multi": ACTIONS[::-1]}))
    assert [c.item_id for c in first.candidates] == [c.item_id for c in second.candidates][::-1]
    assert second.user_id == "e2"  # nobody is named


@pytest.mark.parametrize(
    ("action", "item"),
    [({"id": "a7"}, "a7"), ({"i": {"id": "a8", "x": 1}}, "a8"), ({"_tag": "t1", "j": {}}, "t1"), ({"id": 4}, "4")],
)
def test_an_action_may_name_itself(tmp_path, action, item):
    (impression, _), _ = read(tmp_path, line(c={"_multi": [action, *ACTIONS[1:]]}))
    assert impression.candidates[0].item_id == item


def test_actions_that_are_alike_are_told_apart_by_a_number(tmp_path):
    (impression, click), _ = read(tmp_path, line(c={"_multi": [{"id": "a"}, {"id": "a"}, {"id": "b"}]}))
    assert [candidate.item_id for candidate in impression.candidates] == ["a", "a#2", "b"]
    assert click.item_id == "a#2"


@pytest.mark.parametrize(
    ("shared", "user"),
    [({"user_id": "u1"}, "u1"), ({"x": {"userId": 5}}, "5"), ({"FromUser": {"id": "u2"}}, "u2"), ({"id": "no"}, "e1")],
)
def test_users_are_found_where_they_are_named(tmp_path, shared, user):
    (impression, _), _ = read(tmp_path, line(c={**shared, "_multi": ACTIONS}))
    assert impression.user_id == user


def test_free_text_is_kept_for_the_encoder(tmp_path):
    actions = [{"_text": "Noodle soup", "kind": "food"}, *ACTIONS[1:]]
    (impression, _), _ = read(tmp_path, line(c={"_text": "cold day", "_multi": actions}))
    assert (impression.context.text, impression.candidates[0].text) == ("cold day", "Noodle soup")
    assert impression.candidates[0].features == hashed({"kind": "food"})


def test_what_was_chosen_is_found_in_each_of_its_places(tmp_path):
    forms = [{}, {"_labelIndex": None}, {"_labelIndex": None, "_label_Action": None}]
    for form in forms:
        (impression, _), _ = read(tmp_path, line(**form))
        assert impression.logged.item_ids == (impression.candidates[1].item_id,)


def test_the_probability_is_that_of_the_label_or_of_the_ranking(tmp_path):
    (impression, _), _ = read(tmp_path, line(_label_probability=None))
    assert impression.logged.propensities == (0.6,)
    (impression, _), foreign = read(tmp_path, line(_label_probability=0.0))
    assert impression.logged.propensities == (None,)
    assert sum(foreign.notes.values()) == 1


def test_no_reward_is_no_click_and_a_part_of_one_a_click_of_its_value(tmp_path):
    events, _ = read(tmp_path, line(_label_cost=0.0), line(_label_cost=-0.25))
    assert [type(each) for each in events] == [Impression, Impression, Click]
    assert events[2].value == 0.25


@pytest.mark.parametrize("cost", [-5.0, 1.0])
def test_a_reward_that_would_be_cut_is_refused_by_its_line(tmp_path, cost):
    with pytest.raises(HistoryError, match=rf"0 to core.reward.reward_max \(1\); got {-cost:g} in line 2"):
        read(tmp_path, line(), line(_label_cost=cost))


def test_larger_rewards_fit_a_larger_scale(tmp_path):
    settings = CoreSettings(reward=RewardSettings(reward_max=5.0))
    events, _ = read(tmp_path, line(_label_cost=-5.0), settings=settings)
    assert events[1].value == 5.0


def test_several_slots_become_a_slate(tmp_path):
    slots = [{"_label_cost": 0, "_a": [2, 0], "_p": [0.5, 0.5]}, {"_label_cost": -1, "_a": [0], "_p": [0.25]}]
    (impression, click), _ = read(tmp_path, line(_outcomes=slots, _label_cost=None))
    ids = [candidate.item_id for candidate in impression.candidates]
    assert impression.slots == 2
    assert impression.logged.item_ids == (ids[2], ids[0])
    assert impression.logged.propensities == (0.5, 0.25)
    assert click.item_id == ids[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{broken", "lines that are not JSON"),
        ({"RewardValue": 1.0, "EventId": "e1"}, "lines without a context, such as rewards without their decision"),
        (line(_skipLearn=True), "events that are not to be learned from (_skipLearn)"),
        (line(c={"x": 1}), "events without actions (_multi)"),
        (line(_labelIndex=3), "events whose choice is not among their actions, or twice there"),
        (line(_label_cost=None), "events without a cost (_label_cost)"),
        (line(_labelIndex=None, _label_Action=None, a=None), "events without a choice (_labelIndex, _label_Action, a)"),
        (line(c={"_multi": [{"_slot_id": 0}]}), "slates whose slots have actions of their own (_slot_id)"),
        (line(EventId="bad\u0007id"), "events that break a rule, such as 1,000 actions at most"),
    ],
)
def test_what_cannot_be_carried_over_is_counted_by_its_reason(tmp_path, bad, reason):
    events, foreign = read(tmp_path, bad, line())
    assert len(events) == 2
    assert foreign.left_out == {reason: 1}


def test_dropped_events_and_missing_times_are_told(tmp_path):
    (first, _, second, _), foreign = read(tmp_path, line(pdrop=0.5), line(EventId="e2", Timestamp=None))
    assert second.ts_ms == first.ts_ms + 1
    assert sorted(foreign.notes.values()) == [1, 1]
    assert any("pdrop" in note for note in foreign.notes)


def test_a_file_of_nothing_usable_says_why(tmp_path):
    path = tmp_path / "log.json"
    path.write_text("{broken\n")
    with pytest.raises(HistoryError, match="1 lines that are not JSON"):
        import_file("dsjson", path, tmp_path / "out.jsonl", CoreSettings())
    with pytest.raises(HistoryError, match="file that can be read"):
        import_file("dsjson", tmp_path / "absent", tmp_path / "out.jsonl", CoreSettings())
    with pytest.raises(HistoryError, match="file that can be written"):
        import_file("dsjson", path, tmp_path / "no" / "out.jsonl", CoreSettings())
