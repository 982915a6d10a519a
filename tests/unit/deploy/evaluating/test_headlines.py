"""The Upworthy archive as a log: every impression once, propensities of 1 / K, and the same as events."""

import numpy as np
import pytest
from support.logs import upworthy_file

from deploy.evaluating.evaluation import evaluate
from deploy.evaluating.from_outcomes import log_of_outcomes
from deploy.evaluating.headlines import read_headlines
from deploy.evaluating.target import uniform
from envs.errors import WorldError


def test_all_impressions_are_there_when_all_are_asked_for(tmp_path):
    log = read_headlines(upworthy_file(tmp_path), 1_000, seed=0)
    assert len(log) == 60
    shown_N = log.item_M[log.shown_N]
    assert np.bincount(shown_N).tolist() == [10, 20, 10, 10, 10]
    assert np.bincount(shown_N, log.reward_N).tolist() == [2, 1, 0, 5, 1]
    assert log.counts_N.tolist() == [2] * 30 + [3] * 30  # the older test first
    assert log.propensity_N.tolist() == [1 / 2] * 30 + [1 / 3] * 30
    assert log.notes == ("60 of 60 impressions were drawn, with the seed 0",)


def test_a_draw_is_without_replacement_and_the_seeds_own(tmp_path):
    folder = upworthy_file(tmp_path)
    first, again, other = (read_headlines(folder, 40, seed) for seed in (1, 1, 2))
    assert len(first) == 40
    assert (np.bincount(first.item_M[first.shown_N], minlength=5) <= [10, 20, 10, 10, 10]).all()
    np.testing.assert_array_equal(first.reward_N, again.reward_N)
    assert first.action_N.tolist() != other.action_N.tolist()


def test_a_small_draw_has_the_mix_of_the_archive(tmp_path):
    folder = upworthy_file(tmp_path)
    logs = [read_headlines(folder, 6, seed) for seed in range(300)]
    shares = np.bincount(np.concatenate([log.item_M[log.shown_N] for log in logs]), minlength=5) / 1_800
    # 1/6 1/3 1/6 1/6 1/6; the deviation of a share is at most sqrt(2 / 9 / 1800) = .011
    np.testing.assert_allclose(shares, [1 / 6, 1 / 3, 1 / 6, 1 / 6, 1 / 6], atol=0.045)


def test_the_same_as_events(tmp_path):
    log = read_headlines(upworthy_file(tmp_path), 1_000, seed=3)
    outcomes = log.outcomes()
    again = log_of_outcomes("again", outcomes)
    for name in ("reward_N", "action_N", "propensity_N", "counts_N"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))
    assert {each.impression.context.text for each in outcomes[:30]} == {"Same"}
    assert [each.text for each in outcomes[0].impression.candidates] == ["One", "Two"]
    assert len({each.impression.user_id for each in outcomes}) == 60


def test_the_uniform_choice_earns_the_mean_of_the_drawn(tmp_path):
    log = read_headlines(upworthy_file(tmp_path), 1_000, seed=0)
    assert evaluate(log, uniform(log), ["ips"], seed=0).estimates["ips"].value == pytest.approx(9 / 60)


def test_what_is_no_archive_is_named(tmp_path):
    with pytest.raises(WorldError, match=r"packages\.csv\.gz"):
        read_headlines(tmp_path / "none", 10, seed=0)
