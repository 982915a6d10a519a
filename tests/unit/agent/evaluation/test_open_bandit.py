"""The Open Bandit sample: the uniform policy's value from the log of Bernoulli Thompson sampling, known beforehand."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from agent.evaluation import clipped_ips, ips, snips

SAMPLE = Path(__file__).parents[5] / "shared" / "data" / "obd"
pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample is not beside the project (shared/data/obd)")


def log_of(policy, campaign):
    """Clicks, propensities and the uniform policy's probabilities [N] of a log."""
    folder = SAMPLE / policy / campaign
    with gzip.open(folder / f"{campaign}.csv.gz", "rt") as file:
        rows = [(float(row["click"]), float(row["propensity_score"])) for row in csv.DictReader(file)]
    with gzip.open(folder / "item_context.csv.gz", "rt") as file:
        items = sum(1 for _ in csv.DictReader(file))
    click_N, propensity_N = np.array(rows).T
    return click_N, propensity_N, np.full(len(rows), 1.0 / items)


@pytest.mark.parametrize(
    ("campaign", "by_ips", "by_snips", "decisions"),
    [("all", 0.0024, 0.0023, 340), ("men", 0.0030, 0.0032, 656), ("women", 0.0074, 0.0024, 2)],
)
def test_values_and_effective_sample_sizes_are_the_known_ones(campaign, by_ips, by_snips, decisions):
    log = log_of("bts", campaign)
    plain, normalised = ips(*log), snips(*log)
    assert plain.value == pytest.approx(by_ips, abs=5e-5)
    assert normalised.value == pytest.approx(by_snips, abs=5e-5)
    assert plain.effective_sample_size == pytest.approx(decisions, abs=0.5)


@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_intervals_hold_what_the_uniform_policy_earned_itself_and_few_clicks_are_told(campaign):
    earned = float(log_of("random", campaign)[0].mean())
    for estimator in (ips, snips, clipped_ips):
        estimate = estimator(*log_of("bts", campaign))
        assert estimate.lower < earned < estimate.upper
        assert "effective clicks" in estimate.warning


def test_the_log_that_two_decisions_carry_says_so():
    estimate = snips(*log_of("bts", "women"))
    assert "effective sample size 2" in estimate.warning
    assert "of the sum of all weights" in estimate.warning
    assert estimate.upper > 0.1


def test_the_uniform_log_under_its_own_policy_gives_its_click_rate():
    click_N, propensity_N, target_N = log_of("random", "all")
    assert ips(click_N, propensity_N, target_N).value == pytest.approx(0.0038)
