"""`streambandit tune` on Ray: every trial is judged off-policy on the log, and the best settings are written."""

import subprocess
import sys

import pytest
from support.logs import only_a_is_clicked, write_outcomes

from deploy.evaluating.space import parse_space
from deploy.evaluating.tuning import TuneOptions, judge, run_trials
from deploy.settings_load import load_settings

# Ray Tune 2.60 calls what it deprecates itself, and leaves log files open.
pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
RUN_S = 480
NUMBERS = ("agent.features.text=off", "agent.features.context_dim=1", "agent.features.candidate_dim=1")


@pytest.fixture
def options(tmp_path):
    """Only a is clicked: the less a policy explores, the more it earns once it has learned."""
    log = write_outcomes(tmp_path / "outcomes.jsonl", only_a_is_clicked(600))

    def made(**changes):
        fields = {
            "log": str(log),
            "space": ("agent.explore.floor=0.01,0.9",),
            "search": "grid",
            "trials": 2,
            "estimator": "snips",
            "parallel": 1,
            "limit": 10_000,
            "out": None,
            "config": None,
            "overrides": NUMBERS,
        }
        return TuneOptions(**fields | changes)

    return made


def run(options):
    return run_trials(options, parse_space(options.space, grid=options.search == "grid"), seed=0)


@pytest.mark.usefixtures("ray_cluster")
def test_a_grid_tries_every_combination_and_a_trial_is_what_is_judged_here_bit_for_bit(options):
    grid = options()
    trials = run(grid)
    assert sorted(trial.settings["agent.explore.floor"] for trial in trials) == ["0.01", "0.9"]
    assert trials == [judge(grid, trial.settings) for trial in trials]
    little, much = sorted(trials, key=lambda trial: float(trial.settings["agent.explore.floor"]))
    assert little.estimate.lower > much.estimate.upper


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("search", ["random", "bayes"])
def test_a_search_of_a_range_stays_in_it_and_repeats_with_its_seed(options, search):
    chosen = options(search=search, trials=2, space=("agent.explore.floor=log:0.01..1",))
    trials = run(chosen)
    assert len(trials) == 2
    assert all(0.01 <= float(trial.settings["agent.explore.floor"]) <= 1.0 for trial in trials)
    assert len({trial.settings["agent.explore.floor"] for trial in trials}) == 2
    assert run(chosen) == trials


@pytest.mark.usefixtures("ray_cluster")
def test_a_trial_that_fails_is_told_and_the_others_count(options):
    trials = run(options(space=("agent.features.candidate_dim=1,3",)))
    good, bad = sorted(trials, key=lambda trial: trial.estimate is None)
    assert good.settings == {"agent.features.candidate_dim": "1"}
    assert good.estimate is not None
    assert bad.estimate is None
    assert "must have" in bad.error


def test_the_command_prints_the_best_and_writes_it(options, tmp_path):
    out, log = tmp_path / "best.toml", options().log
    command = [sys.executable, "-m", "deploy.cli", "tune", "--log", log, "--out", str(out), "--search", "grid"]
    command += ["--space", "agent.explore.floor=0.01,0.9", *(part for each in NUMBERS for part in ("--set", each))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert ended.returncode == 0, ended.stdout[-2_000:] + ended.stderr[-4_000:]
    assert "2 trials by the lower end of snips" in ended.stdout
    assert "judge it again on later decisions" in ended.stdout
    assert "[agent.explore]\nfloor = 0.01\n" in ended.stdout
    assert load_settings(out, []).agent.explore.floor == 0.01
