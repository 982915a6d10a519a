"""How well predictions fit what comes: measures by hand, decay, and what is refused."""

import math

import numpy as np
import pytest

from agent.calibration import Calibration
from agent.errors import LearnError


def rewards(rate, count):
    """Exactly that share of ones, evenly spread."""
    return np.diff(np.floor(np.arange(count + 1) * rate + 1e-9))


def observed(*parts, half_life_rows=1e9):
    """Parts are (prediction, rate, rows)."""
    calibration = Calibration(half_life_rows)
    for predicted, rate, count in parts:
        calibration.observe(np.full(count, predicted), rewards(rate, count))
    return calibration


def test_measures_by_hand():
    found = observed((0.1, 0.2, 1_000), (0.6, 0.5, 1_000)).measures()
    assert found["calibration_error"] == pytest.approx(0.1)
    assert found["calibration_ratio"] == pytest.approx(0.7 / 0.7)  # too low and too high cancel here, not above
    loss = -(0.2 * math.log(0.1) + 0.8 * math.log(0.9) + 0.5 * math.log(0.6) + 0.5 * math.log(0.4)) / 2
    entropy = -(0.35 * math.log(0.35) + 0.65 * math.log(0.65))
    assert found["normalised_entropy"] == pytest.approx(loss / entropy)


def test_always_predicting_the_base_rate_has_no_error_and_an_entropy_of_one():
    found = observed((0.05, 0.05, 10_000)).measures()
    expected = {"calibration_error": 0.0, "calibration_ratio": 1.0, "normalised_entropy": 1.0}
    assert found == pytest.approx(expected, abs=1e-8)


def test_predictions_that_tell_rows_apart_have_less_entropy_than_the_base_rate():
    # (.0980 + .6730) / 2 nats for .5140 at the base rate of .21
    assert observed((0.02, 0.02, 5_000), (0.4, 0.4, 5_000)).measures()["normalised_entropy"] == pytest.approx(
        0.3855 / 0.5140, rel=1e-3
    )


def test_rows_of_a_half_life_ago_count_half():
    found = observed((0.2, 0.2, 5_000), (0.2, 0.4, 1_000), half_life_rows=1_000).measures()
    weights = [1 - 0.5**5, 1.0]  # of the older rows half is left, of a sum that had reached 1 - 2^-5
    expected = (0.5 * weights[0] * 0.2 + 0.5 * weights[1] * 0.4) / (0.5 * weights[0] + 0.5 * weights[1])
    assert found["calibration_ratio"] == pytest.approx(expected / 0.2, rel=0.01)


def test_how_rows_are_cut_into_calls_does_not_matter():
    random = np.random.default_rng(0)
    predicted_R, reward_R = random.uniform(size=1_000), random.uniform(size=1_000)
    one, other = Calibration(100.0), Calibration(100.0)
    one.observe(predicted_R, reward_R)
    for part in np.array_split(np.arange(1_000), [1, 1, 300, 999]):
        other.observe(predicted_R[part], reward_R[part])
    assert other.measures() == pytest.approx(one.measures(), rel=1e-9)


def test_too_few_rewards_say_nothing():
    assert Calibration().measures() == {}
    assert observed((0.01, 0.0, 4_000)).measures() == {}
    assert observed((0.1, 0.0, 1_000)).measures() == pytest.approx({"calibration_error": 0.1, "calibration_ratio": 0.0})


def test_sure_predictions_that_fail_cost_much_and_not_infinitely_much():
    found = observed((0.0, 0.5, 200), (1.0, 0.5, 200)).measures()
    assert 10 < found["normalised_entropy"] < 20


def test_what_was_saved_goes_on_as_before():
    one, other = observed((0.1, 0.2, 1_000)), Calibration(1e9)
    other.set_state(one.get_state())
    for calibration in (one, other):
        calibration.observe(np.full(10, 0.3), np.ones(10))
    assert other.measures() == one.measures()
    other.set_state({})
    assert other.measures() == {}


@pytest.mark.parametrize(
    ("predicted", "reward", "message"),
    [
        ([0.1, 0.2], [0.0], "calibration must have a reward a row; got 2 and 1"),
        ([float("nan")], [0.0], r"calibration predicted_R must lie in \[0, 1\]; got nan"),
        ([0.5], [1.5], r"calibration reward_R must lie in \[0, 1\]; got 1.5"),
    ],
)
def test_what_is_no_probability_is_refused_and_changes_nothing(predicted, reward, message):
    calibration = observed((0.1, 0.2, 1_000))
    before = calibration.measures()
    with pytest.raises(LearnError, match=message):
        calibration.observe(np.array(predicted), np.array(reward))
    assert calibration.measures() == before


def test_settings_and_states_that_do_not_fit_are_refused():
    with pytest.raises(LearnError, match="half_life_rows must be positive; got 0"):
        Calibration(0.0)
    with pytest.raises(LearnError, match=r"shape \(4, 10\); got \(4, 3\)"):
        Calibration().set_state({"calibration_4B": np.zeros((4, 3))})
