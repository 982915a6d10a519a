"""The Open Bandit form: rows become decisions with all items as candidates; what is wrong names file and line."""

from pathlib import Path

import numpy as np
import pytest
from support.logs import OPEN_BANDIT_ROWS, open_bandit_folder

from deploy.errors import EvaluateError
from deploy.evaluating.evaluation import ESTIMATORS, evaluate
from deploy.evaluating.open_bandit import is_open_bandit, read_open_bandit
from deploy.evaluating.target import logging, uniform

SAMPLE = Path(__file__).parents[5] / "shared" / "data" / "obd"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample is not beside the project (shared/data/obd)")


@pytest.mark.parametrize("zipped", [False, True])
def test_rows_become_decisions(tmp_path, zipped):
    log = read_open_bandit(open_bandit_folder(tmp_path / "all", zipped=zipped), 10)
    assert (log.reward_N.tolist(), log.action_N.tolist()) == ([1, 0, 0, 1], [0, 1, 0, 1])
    assert log.propensity_N.tolist() == [0.5, 0.25, 0.8, 0.2]
    assert log.context_NC.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert log.candidate_MD.tolist() == [[0.5], [-0.5]] * 4
    assert np.isnan(log.logging_M).all()  # what the others had is not in the log
    assert log.outcomes is None


def test_only_the_newest_rows_are_read(tmp_path):
    assert read_open_bandit(open_bandit_folder(tmp_path / "all"), 1).propensity_N.tolist() == [0.2]


def test_a_log_of_even_propensities_is_a_uniform_one(tmp_path):
    rows = [(item, position, click, 0.5) for item, position, click, _ in OPEN_BANDIT_ROWS]
    log = read_open_bandit(open_bandit_folder(tmp_path / "all", rows), 10)
    assert log.logging_M.tolist() == [0.5] * 8


def test_estimates_are_those_of_paper_and_pencil(tmp_path):
    log = read_open_bandit(open_bandit_folder(tmp_path / "all"), 10)
    found = evaluate(log, uniform(log), ESTIMATORS, seed=0)
    # weights .5 / p: 1, 2, .625, 2.5; clicks at the first and the last
    assert found.estimates["ips"].value == pytest.approx((1 + 2.5) / 4)
    assert found.estimates["snips"].value == pytest.approx(3.5 / 6.125)
    assert found.estimates["ips"].effective_sample_size == pytest.approx(6.125**2 / (1 + 4 + 0.625**2 + 6.25))
    assert found.logging.value == 0.5
    assert set(found.estimates) == set(ESTIMATORS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("8", 1, 0, 0.5)], r"line 2 of .*all\.csv must have a known item and numbers; got '8'"),
        ([("7", 1, 0, 0.5), ("7", 1, "yes", 0.5)], r"line 3 of .*known item and numbers; got could not convert"),
        ([("7", 4, 0, 0.5)], r"line 2 of .*a position of 1 to 3 and a propensity in \(0, 1\]; got 4 and 0\.5"),
        ([("7", 1, 0, 0.0)], r"a propensity in \(0, 1\]; got 1 and 0\.0"),
        ([], r"--log must hold at least one row; got none in .*all\.csv"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, message):
    with pytest.raises(EvaluateError, match=message):
        read_open_bandit(open_bandit_folder(tmp_path / "all", rows), 10)


def test_a_folder_without_its_files_is_named(tmp_path):
    folder = open_bandit_folder(tmp_path / "all")
    assert is_open_bandit(folder)
    assert not is_open_bandit(tmp_path)
    (folder / "all.csv").rename(folder / "other.csv")
    with pytest.raises(EvaluateError, match=r"must hold all\.csv or \.csv\.gz beside item_context\.csv; got none"):
        read_open_bandit(folder, 10)
    (folder / "all.csv").write_text("item_id,position,click\n7,1,0\n")
    with pytest.raises(EvaluateError, match="must have the column 'propensity_score'; got"):
        read_open_bandit(folder, 10)
    (folder / "all.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(EvaluateError, match="--log must be files that can be read; got"):
        read_open_bandit(folder, 10)
    (folder / "item_context.csv").write_text("item_id,item_feature_0\n7,high\n")
    with pytest.raises(EvaluateError, match=r"item_feature_0 of .* must be numbers; got"):
        read_open_bandit(folder, 10)


@needs_sample
@pytest.mark.parametrize(
    ("campaign", "by_ips", "by_snips", "decisions"),
    [("all", 0.0024, 0.0023, 340), ("men", 0.0030, 0.0032, 656), ("women", 0.0074, 0.0024, 2)],
)
def test_the_sample_gives_its_known_values(campaign, by_ips, by_snips, decisions):
    log = read_open_bandit(SAMPLE / "bts" / campaign, 10_000)
    found = evaluate(log, uniform(log), ["ips", "snips"], seed=0)
    assert len(log) == found.decisions == 10_000
    assert found.estimates["ips"].value == pytest.approx(by_ips, abs=5e-5)
    assert found.estimates["snips"].value == pytest.approx(by_snips, abs=5e-5)
    assert found.estimates["ips"].effective_sample_size == pytest.approx(decisions, abs=0.5)


@needs_sample
def test_the_womens_log_warns_whatever_is_asked():
    log = read_open_bandit(SAMPLE / "bts" / "women", 10_000)
    found = evaluate(log, uniform(log), ESTIMATORS, seed=0)
    for name, estimate in found.estimates.items():
        assert "effective sample size 2.08 is below 100" in estimate.warning, name
    for name in ("ips", "snips", "dr", "sndr"):
        assert (found.estimates[name].lower, found.estimates[name].upper) == (0.0, 1.0)


@needs_sample
@pytest.mark.parametrize(("campaign", "clicks"), [("all", 38), ("men", 46), ("women", 46)])
def test_the_uniform_logs_are_known_to_be_uniform(campaign, clicks):
    log = read_open_bandit(SAMPLE / "random" / campaign, 10_000)
    found = evaluate(log, logging(log), ESTIMATORS, seed=0)
    for name in ("ips", "snips", "clipped_ips"):
        assert found.estimates[name].value == pytest.approx(clicks / 10_000, abs=1e-12)
    assert found.estimates["dr"].value == pytest.approx(clicks / 10_000, abs=1e-4)  # q is cross-fitted, not constant
