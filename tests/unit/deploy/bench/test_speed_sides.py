"""The sides of the benchmarks of speed do the work that is timed: what opens closes, and what is asked is answered."""

from deploy.bench.speed.decisions import Decisions
from deploy.bench.speed.open_decisions import OpenStream
from deploy.bench.speed.vowpal_wabbit import _labelled, _lines
from stream.events import Candidate, Context, Impression, Outcome, Recommendation, Slot


def test_as_many_decisions_stay_open_as_wanted_and_as_many_close_as_come():
    stream = OpenStream(50)
    stream.fill()
    assert len(stream) == 50
    assert stream.go_on(20) == 20
    assert len(stream) == 50


def test_impressions_have_candidates_of_known_items_and_outcomes_are_of_them():
    decisions = Decisions(seed=0)
    one, other = decisions.impressions(2)
    assert len(one.candidates) == 20
    assert len(one.context.features) == len(one.candidates[0].features) == 32
    assert one.impression_id != other.impression_id
    shown = [shown_of(each, 7) for each in (one, other)]
    outcomes = decisions.outcomes([one, other], shown)
    assert [each.impression for each in outcomes] == [one, other]
    assert {each.rewards[0] for each in outcomes} <= {0.0, 1.0}


def test_the_text_of_vowpal_wabbit_holds_every_feature_and_the_label_of_what_was_shown():
    candidates = (Candidate(item_id="a", features=(0.5,)), Candidate(item_id="b", features=(1.23456789,)))
    impression = Impression(
        impression_id="i", user_id="u", ts_ms=1, context=Context(features=(2.0, -3.0)), candidates=candidates
    )
    assert _lines(impression) == ["shared |u 0:2 1:-3", "|i 0:0.5", "|i 0:1.2346"]
    outcome = Outcome(impression=impression, recommendation=shown_of(impression, 1), rewards=(1.0,), closed_ms=2)
    assert _labelled(outcome) == ["shared |u 0:2 1:-3", "|i 0:0.5", "0:-1:0.25 |i 0:1.2346"]


def shown_of(impression, index):
    return Recommendation(
        decision_id="d",
        impression_id=impression.impression_id,
        user_id=impression.user_id,
        ts_ms=impression.ts_ms,
        slate=(Slot(item_id=impression.candidates[index].item_id, propensity=0.25),),
        strategy="s",
        policy_version="0.1",
    )
