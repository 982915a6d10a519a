"""Everything that is said of a policy on a log: values by hand, what is left out and why, and what a person reads."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from support.logs import logged_decisions

from agent.evaluation import EvaluationError
from deploy.errors import EvaluateError
from deploy.evaluating.evaluation import ESTIMATORS, evaluate
from deploy.evaluating.showing import evaluation_json, show_evaluation
from deploy.evaluating.target import Target, logging, uniform

NAN = np.nan
WEIGHTED = ("ips", "snips", "clipped_ips")


def even(decisions, clicked=2):
    """An even choice of two; every second decision shows the first; every `clicked`-th earns a click."""
    number_N = np.arange(decisions)
    reward_N = (number_N % clicked == 0).astype(float)
    return logged_decisions(reward_N, number_N % 2, np.full(decisions, 0.5), np.full((decisions, 2), 0.5))


def target(log, probability_NK, **changes):
    probability_M = np.asarray(probability_NK, float).reshape(-1)
    return Target("mine", probability_M[log.shown_N], probability_M, **changes)


def test_values_are_those_of_the_estimators():
    log = logged_decisions(
        [1, 0, 1, 0], [0, 1, 0, 1], [0.5, 0.5, 0.25, 0.25], [[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.75, 0.25]]
    )
    found = evaluate(log, uniform(log), WEIGHTED, seed=0)
    # weights 1 1 2 2
    assert found.estimates["ips"].value == 0.75
    assert found.estimates["snips"].value == 0.5
    assert (found.decisions, found.left_out, found.logging.value) == (4, {}, 0.5)
    assert found.policy == "uniform"
    assert found.log == "by hand"
    assert found.parts == ()
    assert found.loss is None


def test_the_logs_own_policy_earns_what_the_log_earned_by_every_estimator():
    log = even(400)
    found = evaluate(log, logging(log), ESTIMATORS, seed=0)
    for name in WEIGHTED:
        assert found.estimates[name].value == 0.5
    # a mean of the other four fifths is off by a few thousandths and is corrected, but for shrinkage by 1 / 1.1
    for name in ("dm", "dr", "sndr", "switch_dr", "dr_os"):
        assert found.estimates[name].value == pytest.approx(0.5, abs=0.01)


def test_decisions_that_cannot_be_judged_are_counted_and_left_alone():
    log = logged_decisions([1, 1, 0, 1], [0, 1, 0, 1], [0.5, NAN, 0.5, 0.5], [[0.5, 0.5]] * 4)
    told = target(log, [[1, 0], [1, 0], [NAN, NAN], [0.5, 0.5]])
    found = evaluate(log, told, WEIGHTED, seed=0)
    assert found.left_out == {"propensity not logged": 1, "policy cannot be told": 1}
    assert found.decisions == 2
    assert found.estimates["ips"].value == pytest.approx((2 + 1) / 2)
    assert found.logging.value == 0.75  # of all decisions


def test_a_model_is_asked_of_what_is_judged_though_other_decisions_cannot_be_told():
    log = even(200)
    probability_NK = np.full((200, 2), 0.5)
    probability_NK[7] = NAN
    found = evaluate(log, target(log, probability_NK), ESTIMATORS, seed=0)
    assert set(found.estimates) == set(ESTIMATORS)
    assert found.left_out == {"policy cannot be told": 1}
    assert found.estimates["dr"].value == pytest.approx(found.estimates["ips"].value, abs=0.01)


def test_a_log_without_a_propensity_says_why_nothing_is_judged():
    log = logged_decisions([1, 0], [0, 1], [NAN, NAN], [[NAN, NAN]] * 2)
    with pytest.raises(EvaluateError, match=r"all 2 are left out \(propensity not logged: 2\)"):
        evaluate(log, uniform(log), ESTIMATORS, seed=0)


def test_estimators_that_nothing_can_be_asked_of_are_left_out_with_the_reason():
    log = logged_decisions([1, 0], [0, 1], [0.5, 0.5], [[NAN, NAN]] * 2)
    found = evaluate(log, logging(log), ESTIMATORS, seed=0)
    assert tuple(found.estimates) == WEIGHTED
    (note,) = found.notes
    assert note.startswith(
        "dm, dr, sndr, switch_dr, dr_os left out: they need the target policy's probability of every"
    )
    alone = logged_decisions([1, 0], [0, 1], [0.5, 0.5], [[0.5, 0.5]] * 2, group_N=np.zeros(2, int))
    (note,) = evaluate(alone, logging(alone), ["dr"], seed=0).notes
    assert note == "dr left out: a model must be fitted to other users than it predicts; the log has one"


def test_an_estimator_must_be_known_and_divide_by_something():
    log = even(4)
    with pytest.raises(EvaluateError, match=r"--estimator must be one of ips, snips, .*; got 'best'"):
        evaluate(log, uniform(log), ["ips", "best"], seed=0)
    never = target(log, [[0, 1], [1, 0]] * 2)
    with pytest.raises(EvaluationError, match="target_propensity_N must be above 0 for some decision"):
        evaluate(log, never, ["snips"], seed=0)


def test_what_the_log_could_never_show_is_told_of_every_estimate():
    log = logged_decisions(np.ones(4), np.zeros(4, int), np.ones(4), [[1, 0]] * 4)
    found = evaluate(log, target(log, [[1, 0]] * 3 + [[0.5, 0.5]]), ESTIMATORS, seed=0)
    for estimate in found.estimates.values():
        assert "puts 0.12 of its probability, in 1 of 4 decisions, on what the log could not show" in estimate.warning


def test_a_policy_that_learns_is_shown_as_it_learns():
    log = even(1_000)
    loss_N = np.where(np.arange(1_000) < 100, NAN, 0.5)
    found = evaluate(log, target(log, np.full((1_000, 2), 0.5), loss_N=loss_N), ["snips"], seed=0)
    assert [(part.start, part.stop) for part in found.parts] == [(start, start + 100) for start in range(0, 1_000, 100)]
    assert [part.loss for part in found.parts] == [None] + [0.5] * 9
    assert all(part.estimate.value == part.logged == 0.5 for part in found.parts)
    assert found.loss == 0.5


def test_a_part_that_nothing_tells_of_is_left_out():
    log = even(200)
    probability_NK = np.full((200, 2), 0.5)
    probability_NK[:100] = np.eye(2)[1 - log.action_N[:100]]  # never what was shown
    found = evaluate(log, target(log, probability_NK, loss_N=np.zeros(200)), ["snips"], seed=0)
    assert [(part.start, part.stop) for part in found.parts] == [(100, 200)]


def test_the_same_seed_gives_the_same_numbers():
    log = even(300, clicked=3)
    first, again, other = (evaluate(log, uniform(log), ["dr"], seed).estimates["dr"].value for seed in (0, 0, 1))
    assert first == again
    assert first != other


def said(found):
    console = Console(file=io.StringIO(), width=140)
    show_evaluation(found, console)
    return console.file.getvalue()


def test_a_person_reads_the_values_and_every_warning_once():
    log = even(20)
    found = evaluate(log, uniform(log), ("ips", "snips"), seed=0)
    text, snips = said(found), found.estimates["snips"]
    assert "uniform on by hand\n20 decisions judged\n" in text
    (row,) = [line for line in text.splitlines() if line.strip().startswith("snips")]
    # error: .5 x sqrt(20 / 19) / sqrt(20)
    ends = [f"{snips.lower:.4f}", "to", f"{snips.upper:.4f}"]
    assert row.split() == ["snips", "0.5000", "0.1147", *ends, "20", "10", "yes"]
    # 20 of 100 decisions, 10 of 30 clicks: the decisions lack more
    assert "This log cannot carry the answer; about 5.0 times as many decisions might." in text
    assert text.count("effective clicks 10 are below 30") == 1
    assert "(logged mean, ips, snips): effective clicks 10 are below 30" in text


def test_a_log_that_is_large_enough_or_tells_nothing_at_all_is_told_apart():
    enough, none = even(200), even(200, clicked=1_000)
    assert "cannot carry" not in said(evaluate(enough, uniform(enough), ["ips"], seed=0))
    none.reward_N[:] = 0.0
    assert "cannot carry the answer; no click counts under this policy." in said(
        evaluate(none, uniform(none), ["ips"], seed=0)
    )


def test_a_person_reads_what_is_left_out_and_the_notes():
    log = logged_decisions([1, 0], [0, 1], [0.5, NAN], [[0.5, 0.5]] * 2, notes=("read in a hurry",))
    text = said(evaluate(log, uniform(log), ["ips"], seed=0))
    assert "1 decisions judged; left out, propensity not logged: 1" in text
    assert "note: read in a hurry" in text


def test_a_program_reads_all_of_it_and_no_number_that_json_does_not_have():
    log = logged_decisions([1], [0], [0.5], [[0.5, 0.5]])
    found = json.loads(evaluation_json(evaluate(log, uniform(log), ["ips"], seed=0)))
    assert found["estimates"]["ips"]["value"] == 1.0
    assert found["estimates"]["ips"]["std_error"] is None  # infinite
    assert found["policy"] == "uniform"
