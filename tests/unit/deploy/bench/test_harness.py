"""The harness: what a player gets and when, and how it is measured."""

import numpy as np
import pytest

from deploy.bench import world_numeric
from deploy.bench.errors import BenchError
from deploy.bench.harness import normalised_lift, play
from deploy.bench.rounds import Rounds, Seen


class Steps:
    """A world of two candidates, the second always clicked after `delay` rounds."""

    name, text, returning = "steps", 0, False

    def __init__(self, window: int, delay: int) -> None:
        self.window, self.delay = window, delay

    def rounds(self, start, stop):
        size = stop - start
        round_B = np.arange(start, stop)
        return Rounds(
            seen=Seen(
                context_BC=round_B[:, None].astype(np.float32),
                candidate_BKD=np.zeros((size, 2, 1), np.float32),
                item_BK=np.tile([5, 6], (size, 1)),
                user_B=round_B,
                start=start,
            ),
            probability_BK=np.tile([0.0, 1.0], (size, 1)),
            draw_BK=np.full((size, 2), 0.5),
            delay_B=np.full(size, self.delay),
        )


class Fixed:
    """Always chooses the same candidate, and keeps what it is handed."""

    name = "fixed"

    def __init__(self, action=1, propensity=np.nan) -> None:
        self.action, self.propensity = action, propensity
        self.calls: list[tuple[str, int]] = []
        self.handed: list = []

    def decide(self, seen):
        self.calls.append(("decide", len(seen.user_B)))
        return np.full(len(seen.user_B), self.action), np.full(len(seen.user_B), self.propensity)

    def learn(self, closed, still_open):
        self.calls.append(("learn", len(closed.action_R)))
        self.handed.append((closed, still_open))


class Uniform(Fixed):
    def decide(self, seen):
        rounds, candidates = seen.item_BK.shape
        return np.random.default_rng(seen.start).integers(candidates, size=rounds), np.full(rounds, 1 / candidates)


def test_rounds_without_a_window_close_at_once():
    player = Fixed(propensity=0.25)
    play(Steps(0, 0), player, rounds=25, update=10)
    assert player.calls == [("decide", 10), ("learn", 10)] * 2 + [("decide", 5), ("learn", 5)]
    closed, still_open = player.handed[1]
    assert still_open is None
    assert closed.context_RC[:, 0].tolist() == closed.user_R.tolist() == list(range(10, 20))
    assert closed.reward_R.tolist() == [1.0] * 10
    assert closed.delay_R.tolist() == [0.0] * 10
    assert closed.propensity_R.tolist() == [0.25] * 10
    assert closed.item_RK.tolist() == [[5, 6]] * 10


def test_a_round_closes_when_its_window_has_passed():
    player = Fixed()
    play(Steps(window=12, delay=7), player, rounds=30, update=10)
    # After 20 rounds those of age 12 and more are 0..8; the others are open, and clicks of age 7 and more are known.
    assert [closed.user_R.tolist() for closed, _ in player.handed] == [[], list(range(9)), list(range(9, 19))]
    closed, still_open = player.handed[1]
    assert closed.reward_R.tolist() == [1.0] * 9
    assert closed.delay_R.tolist() == [7.0] * 9
    assert still_open.user_R.tolist() == list(range(9, 20))
    assert still_open.age_R.tolist() == list(range(11, 0, -1))
    assert still_open.reward_R.tolist() == [1.0] * 5 + [0.0] * 6
    np.testing.assert_array_equal(still_open.delay_R, [7.0] * 5 + [np.nan] * 6)
    assert still_open.window == 12


def test_a_click_after_the_window_never_counts():
    player = Fixed()
    play(Steps(window=12, delay=13), player, rounds=60, update=10)
    closed, still_open = player.handed[-1]
    assert not closed.reward_R.any()
    assert not still_open.reward_R.any()
    assert np.isnan(closed.delay_R).all()


def test_what_is_not_chosen_is_not_clicked():
    player = Fixed(action=0)
    played = play(Steps(0, 0), player, rounds=10, update=10)
    assert not player.handed[0][0].reward_R.any()
    assert played.lift() == -1.0
    assert play(Steps(0, 0), Fixed(action=1), rounds=10).lift() == 1.0


def test_a_uniform_choice_has_no_lift_and_clicks_as_often_as_its_probability():
    player = Uniform()
    played = play(world_numeric.linear(0), player, rounds=4_000)
    assert abs(played.lift()) < 0.03  # sd of a choice's probability is about 0.08 of 0.2: 0.006 over 4,000 rounds
    clicks = sum(float(closed.reward_R.sum()) for closed, _ in player.handed)
    assert clicks / 4_000 == pytest.approx(played.chosen_N.mean(), abs=0.014)  # four times 0.22 / sqrt(4,000)


def test_every_player_meets_the_same_clicks():
    handed = []
    for _ in range(2):
        player = Fixed()
        play(world_numeric.linear(0), player, rounds=600)
        handed.append(np.concatenate([closed.reward_R for closed, _ in player.handed]))
    np.testing.assert_array_equal(*handed)


def test_parts_of_a_run_have_their_own_lift():
    class Learner(Fixed):
        def learn(self, closed, still_open):
            self.action = 1

    played = play(Steps(0, 0), Learner(action=0), rounds=40, update=10)
    assert played.lifts(4) == [-1.0, 1.0, 1.0, 1.0]
    assert played.lift() == 0.5
    assert normalised_lift(0.05, 0.05, 0.25) == 0.0


@pytest.mark.parametrize("action", [2, -1])
def test_an_action_that_is_no_candidate_is_refused(action):
    with pytest.raises(BenchError, match=r"Actions of fixed must be 10 int64 in 0\.\.1"):
        play(Steps(0, 0), Fixed(action), rounds=10)


@pytest.mark.parametrize("propensity", [0.0, 1.5])
def test_an_impossible_propensity_is_refused(propensity):
    with pytest.raises(BenchError, match=r"Propensities of fixed must be 10 in \(0, 1\]"):
        play(Steps(0, 0), Fixed(propensity=propensity), rounds=10)
