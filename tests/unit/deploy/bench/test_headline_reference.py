"""The model made for headlines alone: what texts tell within tests, and levels that all arms share."""

import numpy as np
from support.headlines import archive, held_out

from deploy.bench.headline_play import play
from deploy.bench.headline_queues import Queues
from deploy.bench.headline_reference import LevelThompson, text_scores


def test_texts_tell_of_tests_that_were_not_learned():
    tests = archive(count=120)
    known_A, new_A = held_out(tests)
    score_A = text_scores(tests, known_A)
    truth_A = tests.text_AE[:, 0]
    assert np.corrcoef(score_A[new_A], truth_A[new_A])[0, 1] > 0.9
    # what an arm that is not known was clicked moves nothing
    clicks_A = tests.clicks_A.copy()
    tests.clicks_A[new_A] = 0
    np.testing.assert_allclose(text_scores(tests, known_A)[known_A], score_A[known_A])
    tests.clicks_A[:] = clicks_A


def test_an_arm_never_shown_is_not_held_for_worse_where_all_are_clicked_much():
    tests = archive(count=1, shown=1_000)
    player = LevelThompson(np.zeros(3), rate=0.1, spread=0.3, random=np.random.default_rng(0))
    queues = Queues(tests, [0])
    drawn = queues.draw(np.array([1.0, 0.0, 0.0]), 400, np.random.default_rng(0))
    clicked = drawn._replace(clicks_A=np.array([60, 0, 0]))  # half as much again as the archive's rate
    player.learn(queues, clicked)
    shares_A = player.shares(queues)
    np.testing.assert_allclose(shares_A.sum(), 1.0)
    assert shares_A[1] + shares_A[2] > 0.3  # the level explains most of it, so the others may be as good


def test_texts_earn_more_than_no_texts():
    tests = archive(count=120, shown=4_000)
    known_A, new_A = held_out(tests)
    slates = sorted({int(test) for test in tests.test_A[new_A]})
    gains = []
    for score_A in (text_scores(tests, known_A), np.zeros(len(tests.test_A))):
        player = LevelThompson(score_A, rate=0.1, spread=0.3, random=np.random.default_rng(1))
        gains.append(play(tests, slates, player, [64], np.random.default_rng(2))[64].rated_gain()[0])
    assert gains[0] > gains[1] + 0.05
