"""The rules of every event: each breach is an `EventError` that names the thing, the rule and the value."""

import re

import pytest
from support.events import candidates, click, impression, outcome, recommendation

from stream.errors import EventError
from stream.events import (
    MAX_CANDIDATES,
    Candidate,
    Context,
    Knew,
    Logged,
    Slot,
)
from stream.rules import LAST_MS, MAX_FEATURES


def breaks(message):
    return pytest.raises(EventError, match="^" + re.escape(message) + "$")


@pytest.mark.parametrize("make", [impression, click, recommendation, outcome])
def test_a_valid_event_is_frozen(make):
    event = make()
    with pytest.raises(AttributeError, match="immutable"):
        event.ts_ms = 1


@pytest.mark.parametrize(
    ("make", "thing", "field"),
    [
        (impression, "impression", "impression_id"),
        (impression, "impression", "user_id"),
        (click, "click", "impression_id"),
        (click, "click", "user_id"),
        (click, "click", "item_id"),
        (click, "click", "kind"),
        (recommendation, "recommendation", "decision_id"),
        (recommendation, "recommendation", "impression_id"),
        (recommendation, "recommendation", "user_id"),
        (lambda **f: Candidate(**{"item_id": "a"} | f), "candidate", "item_id"),
        (lambda **f: Slot(**{"item_id": "a"} | f), "slot", "item_id"),
    ],
)
def test_an_id_is_a_non_empty_string(make, thing, field):
    with breaks(f"{thing}.{field} must be a non-empty string; got ''"):
        make(**{field: ""})
    with breaks(f"{thing}.{field} must be a non-empty string; got 7"):
        make(**{field: 7})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda value: impression(user_id=value), "impression.user_id"),
        (lambda value: Candidate(item_id=value), "candidate.item_id"),
        (lambda value: click(kind=value), "click.kind"),
        (lambda value: click(click_id=value), "click.click_id"),
        (lambda value: Logged(item_ids=("a",), policy=value), "logged.policy"),
    ],
)
def test_ids_and_names_are_short_and_can_be_printed(make, name):
    make("用户 ü\u200d" + "x" * 507)
    with breaks(f"{name} must be at most 512 characters long; got '{'x' * 80}'... (513 in all)"):
        make("x" * 513)
    for unfit in ("\0", "\n", "\x1b", "\x7f", "\x9b", "\ud800"):
        with breaks(f"{name} must hold no control characters; got {unfit!r} in {'a' + unfit!r}"):
            make("a" + unfit)


def test_a_text_is_one_that_utf_8_can_hold():
    assert Context(text="\0 \n 😀").text == "\0 \n 😀"
    with breaks("context.text must be text that UTF-8 can hold; got '\\udc80'"):
        Context(text="a\udc80")
    with breaks("candidate.text must be text that UTF-8 can hold; got '\\ud83d'"):
        Candidate(item_id="a", text="ü\ud83d")


def test_features_are_at_most_4096_values():
    most = (0.0,) * MAX_FEATURES
    assert (Context(features=most).features, Candidate(item_id="a", features=most).features) == (most, most)
    with breaks("context.features must be at most 4,096 values; got 4,097"):
        Context(features=(*most, 0.0))
    with breaks("candidate 'a' features must be at most 4,096 values; got 4,097"):
        Candidate(item_id="a", features=(*most, 0.0))


@pytest.mark.parametrize("value", [0, -1, LAST_MS + 1, 2**53, 1.5, "1"])
@pytest.mark.parametrize(
    ("make", "field"),
    [(impression, "impression.ts_ms"), (click, "click.ts_ms"), (recommendation, "recommendation.ts_ms")],
)
def test_a_time_is_a_positive_whole_number_of_ms_before_the_year_10000(make, field, value):
    with breaks(f"{field} must be a positive whole number of milliseconds, before the year 10,000; got {value!r}"):
        make(**{field.split(".")[1]: value})


@pytest.mark.parametrize("value", [0, -1, 2**53, 1.5, "1"])
def test_the_time_of_a_close_is_one_that_every_json_reader_holds(value):
    with breaks(f"outcome.closed_ms must be a positive whole number of milliseconds; got {value!r}"):
        outcome(closed_ms=value)
    assert outcome(closed_ms=2**53 - 1).closed_ms > LAST_MS


@pytest.mark.parametrize("value", [1, LAST_MS])
def test_the_first_and_the_last_time_are_times(value):
    assert impression(ts_ms=value).ts_ms == click(ts_ms=value).ts_ms == value


def test_an_impression_has_1_to_1000_candidates():
    assert len(impression(candidates=candidates("a")).candidates) == 1
    most = tuple(str(number) for number in range(MAX_CANDIDATES))
    assert len(impression(candidates=candidates(*most)).candidates) == 1_000
    with breaks("impression.candidates must be 1 to 1,000; got 0"):
        impression(candidates=())
    with breaks("impression.candidates must be 1 to 1,000; got 1,001"):
        impression(candidates=candidates(*most, "one more"))


def test_candidates_have_distinct_items():
    with breaks("impression.candidates item_id must be distinct; got 'b' twice"):
        impression(candidates=candidates("a", "b", "b"))


@pytest.mark.parametrize("slots", [-1, 0, 4])
def test_slots_are_1_to_the_number_of_candidates(slots):
    assert impression(slots=3).slots == 3
    with breaks(f"impression.slots must be 1 to the number of candidates (3); got {slots}"):
        impression(slots=slots)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e39, -1e39])
def test_a_number_that_is_not_finite_as_float32_is_refused(value):
    with breaks(f"context.features[1] must be finite, at most 3.4e+38; got {value!r}"):
        Context(features=(0.0, value))
    with breaks(f"candidate 'a' features[0] must be finite, at most 3.4e+38; got {value!r}"):
        Candidate(item_id="a", features=(value,))
    with breaks(f"click.value[0] must be finite, at most 3.4e+38; got {value!r}"):
        click(value=value)
    with breaks(f"outcome.rewards[1] must be finite, at most 3.4e+38; got {value!r}"):
        outcome(rewards=(0.0, value))


def test_large_numbers_that_float32_holds_are_features():
    assert Context(features=(3.4e38, -3.4e38)).features == (3.4e38, -3.4e38)


@pytest.mark.parametrize("value", [0.0, -0.1, 1.0000001, float("nan")])
def test_a_propensity_is_unknown_or_in_0_1(value):
    assert Slot(item_id="a", propensity=1.0).propensity == 1.0
    assert Slot(item_id="a").propensity is None
    with breaks(f"slot.propensity must be in (0, 1]; got {value!r}"):
        Slot(item_id="a", propensity=value)
    with breaks(f"logged.propensities must be in (0, 1]; got {value!r}"):
        Logged(item_ids=("a", "b"), propensities=(None, value))
    with breaks(f"recommendation.slate_propensity must be in (0, 1]; got {value!r}"):
        recommendation(slate_propensity=value)
    with breaks(f"recommendation.probabilities must be in (0, 1]; got {value!r}"):
        recommendation(probabilities=(value, 0.5))


def test_probabilities_sum_to_1():
    assert recommendation(probabilities=(0.25, 0.25, 0.5)).probabilities == (0.25, 0.25, 0.5)
    assert recommendation(probabilities=(0.3, 0.3, 0.4000009)).probabilities is not None  # rounding of the wire
    with breaks("recommendation.probabilities must sum to 1; got 0.75"):
        recommendation(probabilities=(0.25, 0.5))


def test_what_was_logged_is_some_distinct_candidates_with_a_propensity_each():
    logged = Logged(item_ids=("c", "a"), propensities=(0.5, None), policy="editor")
    assert impression(logged=logged).logged == logged
    with breaks("logged.item_ids must not be empty; got ()"):
        Logged(item_ids=())
    with breaks("logged.item_ids must be distinct; got 'a' twice"):
        Logged(item_ids=("a", "a"))
    with breaks("logged.propensities must have one value per item; got 1 for 2 items"):
        Logged(item_ids=("a", "b"), propensities=(0.5,))
    with breaks("logged.item_ids must be among the candidates; got 'x'"):
        impression(logged=Logged(item_ids=("a", "x")))


def test_a_slate_holds_some_distinct_items():
    with breaks("recommendation.slate must not be empty; got ()"):
        recommendation(slate=())
    with breaks("recommendation.slate item_id must be distinct; got 'a' twice"):
        recommendation(slate=(Slot(item_id="a"), Slot(item_id="b"), Slot(item_id="a")))


def test_an_outcome_has_one_reward_a_slot_and_is_of_its_impression():
    with breaks("outcome.rewards must have one value per slot; got 1 for 2 slots"):
        outcome(rewards=(1.0,))
    with breaks("outcome.recommendation must be of its impression 'i2'; got 'i1'"):
        outcome(impression=impression(impression_id="i2"))


def test_defaults_say_what_is_usual():
    assert (impression().slots, impression().logged, impression().context) == (1, None, Context())
    assert (click().kind, click().value, click().click_id) == ("click", 1.0, None)
    assert Knew() == Knew(clicks=0, decisions=0, idle_ms=None, interest=None)
