"""What is said of trials: the best first, those that failed with their reason, the best settings as a file."""

import io

import pytest
from rich.console import Console
from support.logs import only_a_is_clicked, write_outcomes

from agent.evaluation import Estimate
from deploy.errors import EvaluateError
from deploy.evaluating.trials import Trial, rank
from deploy.evaluating.tuning import TuneOptions, judge
from deploy.settings_load import load_settings

NUMBERS = ("agent.features.text=off", "agent.features.context_dim=1", "agent.features.candidate_dim=1")


def options(**changes):
    fields = {
        "log": "kafka",
        "space": ("agent.explore.floor=0.1,0.2",),
        "search": "grid",
        "trials": 2,
        "estimator": "snips",
        "parallel": 1,
        "limit": 10,
        "out": None,
        "config": None,
        "overrides": NUMBERS,
    }
    return TuneOptions(**fields | changes)


def trial(floor, value, lower, error=None):
    estimate = None if error else Estimate(value, 0.01, lower, 2 * value - lower, 500.0)
    return Trial({"agent.explore.floor": floor}, estimate, 0.25, error)


def ranked(trials, out=None):
    console = Console(file=io.StringIO(), width=160)
    return rank(trials, "snips", out, console), console.file.getvalue()


def test_a_high_value_that_the_log_cannot_tell_does_not_win(tmp_path):
    lucky, sure, failed = trial("0.1", 0.9, 0.1), trial("0.2", 0.5, 0.4), trial("0.3", 0, 0, error="too [bold]wide")
    found, said = ranked([failed, lucky, sure], out=tmp_path / "best.toml")
    assert found == [sure, lucky, failed]
    lines = [line.split() for line in said.splitlines()]
    assert any({"0.2", "0.5000", "0.4000"} <= set(line) for line in lines)
    assert "failed: too [bold]wide" in said
    assert load_settings(tmp_path / "best.toml", []).agent.explore.floor == 0.2


def test_when_all_fail_nothing_is_written(tmp_path):
    with pytest.raises(EvaluateError, match="--space must hold settings that can be judged; all trials failed"):
        ranked([trial("0.1", 0, 0, error="no")], out=tmp_path / "best.toml")
    assert not (tmp_path / "best.toml").exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(EvaluateError, match="--out must be a file that can be written; got"):
        ranked([trial("0.1", 0.5, 0.4)], out=tmp_path / "none" / "best.toml")


def test_a_trial_is_the_progressive_validation_of_its_settings(tmp_path):
    log = write_outcomes(tmp_path / "outcomes.jsonl", only_a_is_clicked(400))
    tried = options(log=str(log), limit=1_000)
    little, much = (judge(tried, {"agent.explore.floor": floor}) for floor in ("0.01", "1.0"))
    assert much.estimate.value == pytest.approx(0.5, abs=0.06)  # all of it uniform
    assert little.estimate.value > much.estimate.value + 0.05  # from 256 decisions on it shows a
    assert little.loss == much.loss  # the log teaches both the same


def test_settings_that_do_not_fit_the_log_are_a_trial_that_failed(tmp_path):
    log = write_outcomes(tmp_path / "outcomes.jsonl", only_a_is_clicked(10))
    failed = judge(options(log=str(log)), {"agent.features.candidate_dim": "3"})
    assert failed.estimate is None
    assert "must have 3 values" in failed.error
