"""From outcomes to arrays: what was shown, out of what, with which probability; several slots are told."""

import numpy as np
import pytest
from support.events import candidates, impression, outcome, recommendation
from support.logs import shown

from deploy.errors import EvaluateError
from deploy.evaluating.from_outcomes import log_of_outcomes
from stream.events import Candidate, Context, Slot


def test_arrays_are_those_of_the_first_slots():
    log = log_of_outcomes("mine", [shown(1, "b", 1.0, user="ada"), shown(2, "a", user="bo"), shown(3, "a", user="ada")])
    assert log.reward_N.tolist() == [1.0, 0.0, 0.0]
    assert log.action_N.tolist() == [1, 0, 0]
    assert log.propensity_N.tolist() == [0.5] * 3
    assert log.logging_M.tolist() == [0.5] * 6
    assert log.item_M.tolist() == [0, 1] * 3
    assert log.candidate_MD.tolist() == [[1.0], [0.0]] * 3
    assert log.context_NC.tolist() == [[1.0]] * 3
    assert log.group_N.tolist() == [0, 1, 0]
    assert log.shown_N.tolist() == [1, 2, 4]
    assert [each.impression.impression_id for each in log.outcomes()] == ["i1", "i2", "i3"]
    assert log.notes == ()


def test_candidates_of_some_decisions_are_where_they_are():
    two, three = shown(1), outcome(recommendation=recommendation(slate=(Slot(item_id="b"),)), rewards=(1.0,))
    log = log_of_outcomes("mine", [two, three, two])
    assert log.counts_N.tolist() == [2, 3, 2]
    assert log.candidates_of(np.array([2, 1])).tolist() == [5, 6, 2, 3, 4]


def test_what_the_log_does_not_say_is_not_a_number():
    log = log_of_outcomes("mine", [shown(1, propensity=None, probabilities=None)])
    assert np.isnan(log.propensity_N).all()
    assert np.isnan(log.logging_M).all()


def test_several_slots_are_told():
    log = log_of_outcomes("mine", [outcome(), shown(2)], ["first"])
    assert log.notes == ("first", "1 of 2 decisions show several slots: the first slot alone is judged")
    assert log.reward_N.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ([], "log must hold at least one outcome; got none from mine"),
        (
            [shown(1), outcome(impression=impression(context=Context(features=(1.0, 2.0))))],
            r"features of the log's contexts must have one length; got \[1, 2\]",
        ),
        (
            [shown(1), outcome(impression=impression(candidates=(Candidate(item_id="a", features=(1.0, 2.0)),)))],
            r"features of the log's candidates must have one length; got \[1, 2\]",
        ),
        (
            [outcome(impression=impression(candidates=candidates("x", "y")))],
            "outcome slate item must be a candidate of its impression 'i1'; got 'a'",
        ),
    ],
)
def test_what_does_not_fit_is_named(outcomes, message):
    with pytest.raises(EvaluateError, match=message):
        log_of_outcomes("mine", outcomes)
