"""Headline tests played online: folds that keep together what shares, queues that run empty for all, and gains."""

import json

import numpy as np
import pytest
from support.headlines import ARMS, archive

from agent.settings import AgentSettings
from deploy.bench.errors import BenchError
from deploy.bench.headline_play import Earned, play, ratio, steps
from deploy.bench.headline_players import BetaThompson, PolicyPlayer
from deploy.bench.headline_queues import Queues
from deploy.bench.headline_report import json_lines, markdown
from deploy.bench.headline_tests import read_headlines
from deploy.bench.headlines import HeadlinePlan, PolicyForm, cross_validate, forms, stream
from deploy.bench.world_reading import Vectors


class First:
    """Shows the first arm that is left."""

    def shares(self, queues):
        open_A = queues.open_A
        before_A = np.cumsum(open_A) - open_A
        return (open_A & (before_A == before_A[queues.starts_S][queues.slate_A])).astype(float)

    def learn(self, queues, drawn):
        pass


def test_tests_that_share_are_in_one_fold_and_folds_are_of_one_size():
    tests = archive()
    fold_T = tests.folds(3)
    assert (fold_T[::2] == fold_T[1::2]).all()
    assert np.bincount(fold_T).tolist() == [8, 8, 8]


def test_an_arm_that_runs_empty_leaves_and_its_outcomes_were_all_drawn_once():
    tests = archive(count=1, shown=10)
    queues, random = Queues(tests, [0]), np.random.default_rng(0)
    drawn = queues.draw(np.array([1.0, 0.0, 0.0]), 15, random)
    assert drawn.shown_A.tolist() == [10, 0, 0]
    assert drawn.clicks_A[0] == tests.clicks_A[0]
    assert queues.open_A.tolist() == [False, True, True]
    assert queues.emptied_S.tolist() == [True]
    rates_A = tests.rate_A
    # a uniform choice was among three arms for ten impressions, and the best of three
    np.testing.assert_allclose(drawn.expected_S3, [[10 * rates_A[0], 10 * rates_A.mean(), 10 * rates_A.max()]])
    queues.draw(np.array([0.0, 1.0, 0.0]), 10, random)
    assert not queues.open_A.any()  # one arm alone is no choice


def test_impressions_behind_an_empty_arm_go_to_those_that_are_left():
    queues = Queues(archive(count=1, shown=10), [0])
    drawn = queues.draw(np.array([0.9, 0.05, 0.05]), 25, np.random.default_rng(0))
    assert drawn.shown_A.sum() == 25
    assert drawn.shown_A.max() == 10


def test_updates_grow_with_what_was_shown_and_stop_at_each_size():
    done = list(steps([500, 2_000, 8_000]))
    ends = [start + count for start, count in done]
    assert {500, 2_000, 8_000} <= set(ends)
    assert done[:3] == [(0, 16), (16, 16), (32, 16)]
    assert max(count for _, count in done) == 256


def test_what_is_earned_by_showing_one_arm_is_its_record():
    tests = archive(count=4, shown=50)
    found = play(tests, [0, 1, 2, 3], First(), [40], np.random.default_rng(0))[40]
    drawn = [found.clicks_S.sum(), found.rated_S.sum()]
    expected = 40 * tests.rate_A[::ARMS].sum()
    np.testing.assert_allclose(drawn, [expected, expected], rtol=0.2)
    np.testing.assert_allclose(found.uniform_S, 40 * tests.rate_A.reshape(4, ARMS).mean(axis=1))


def test_a_gain_has_the_error_of_a_ratio():
    gain, error = ratio(np.array([12.0, 8.0]), np.array([10.0, 10.0]))
    assert gain == pytest.approx(0.0)
    assert error == pytest.approx(np.sqrt(2.0**2 + 2.0**2) / 20)


def test_beta_thompson_finds_the_arm_that_is_clicked():
    tests = archive(count=1, shown=2_000)
    tests.clicks_A[:] = [1_000, 20, 20]
    found = play(tests, [0], BetaThompson(0.05, np.random.default_rng(0)), [500], np.random.default_rng(1))[500]
    assert found.rated_S[0] > 0.8 * found.best_S[0]


def test_a_policy_that_reads_how_headlines_are_written_learns_from_it():
    tests, found = archive(count=60, manner=3), {}
    known_A = np.arange(45 * ARMS)
    for manner in (0, 3):
        read = {"encoder": {"manner": manner}, "expert": {"refresh_rows": (64,)}, "network": {"steps": 0}}
        player = PolicyPlayer(tests, AgentSettings(**read))
        player.history(known_A)
        found[manner] = play(tests, list(range(45, 60)), player, [20], np.random.default_rng(0))[20].rated_gain()[0]
    assert found[3] > found[0] + 0.1


@pytest.fixture(scope="module")
def played():
    tests, plan = archive(count=60), HeadlinePlan(sizes=(50, 200), folds=2, stream_size=50, skipped=16)
    players = [
        PolicyForm(form.settings, form.text, dict(list(form.explores.items())[:1]))
        for form in forms(["agent.network.steps=0", "agent.expert.refresh_rows=[64]"])
    ]
    said = []
    results = cross_validate(tests, plan, players, said.append), stream(tests, plan, players, said.append)
    return results, plan, said


def test_texts_help_in_tests_never_seen(played):
    (held_out, _), _, _ = played
    assert list(held_out)[:2] == ["text", "no text"]
    assert list(held_out)[2:] == [
        "reference, text",
        "reference, text, half as tempered",
        "reference, no text",
        "flat Thompson",
    ]
    gains = {name: sizes[50].rated_gain()[0] for name, sizes in held_out.items()}
    assert gains["text"] > 0.2
    assert gains["text"] > gains["no text"] + 0.1
    assert sum(len(each.slate_S) for each in [held_out["text"][200]]) == 60


def test_the_report_tells_gains_with_their_errors_and_what_texts_gain(played):
    (held_out, streamed), plan, said = played
    text, lines = markdown(held_out, streamed, plan), [json.loads(line) for line in json_lines(held_out, streamed)]
    assert "| text | 50 |" in text
    assert "Text over no text: " in text
    assert {line["name"] for line in lines} >= {"headlines-held-out-text-200", "headlines-stream-no text-50"}
    assert len(said) == 2 * 2 + 2


def test_slates_of_an_unknown_form_are_refused(tmp_path):
    with pytest.raises(BenchError, match="Slates must be one of headlines, tests; got 'images'"):
        read_headlines(tmp_path, Vectors(folder=tmp_path), "images")


def test_parts_are_put_together_in_their_order():
    one = Earned(np.array([1]), *(np.array([float(value)]) for value in (2, 3, 4, 5, 0)))
    both = Earned.together([one, one])
    assert both.slate_S.tolist() == [1, 1]
    assert both.gain()[0] == pytest.approx(-0.5)
