"""The commands `evaluate` and `tune`: options reach what they mean, a person is helped, errors are one line."""

import json
import sys

import pytest
from support.events import outcome
from support.logs import only_a_is_clicked, open_bandit_folder, shown, upworthy_file, write_outcomes
from typer.testing import CliRunner

from deploy import cli
from deploy.cli import app
from deploy.errors import EvaluateError
from deploy.evaluating.evaluation import ESTIMATORS
from deploy.evaluating.sources import read_log
from deploy.settings import Settings

NUMBERS = ["--set", "agent.features.text=off", "--set", "agent.features.context_dim=1"]
NUMBERS += ["--set", "agent.features.candidate_dim=1"]


@pytest.fixture
def invoke(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments):
        found = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    return run


@pytest.fixture
def outcomes(tmp_path):
    return write_outcomes(tmp_path / "outcomes.jsonl", only_a_is_clicked(400))


def test_help_names_logs_and_policies(invoke):
    said = invoke("evaluate", "--help")
    assert "kafka|PATH" in said
    assert all(
        name in said for name in ("uniform", "logging", "logged-scores", "snapshot:PATH", "greedy:PATH", "settings")
    )
    said = invoke("tune", "--help")
    assert all(name in said for name in ("--space", "grid", "random", "bayes", "--trials", "--parallel"))


def test_an_open_bandit_folder(invoke, tmp_path):
    said = invoke("evaluate", "--log", open_bandit_folder(tmp_path / "all"), "--policy", "uniform")
    assert "4 decisions judged" in said
    # weights 1, 2, .625, 2.5, clicks at the first and the last: 3.5 / 4 and 3.5 / 6.125
    assert [line.split()[1] for line in said.splitlines() if line.split()[:1] == ["ips"]] == ["0.8750"]
    assert [line.split()[1] for line in said.splitlines() if line.split()[:1] == ["snips"]] == ["0.5714"]
    assert "effective sample size 3.22 is below 100" in said


def test_the_upworthy_archive(invoke, tmp_path):
    archive = upworthy_file(tmp_path / "upworthy")
    said = invoke("evaluate", "--log", archive, "--policy", "uniform", "--json", "--estimator", "ips")
    found = json.loads(said)
    assert found["estimates"]["ips"]["value"] == pytest.approx(9 / 60)
    assert found["notes"] == ["60 of 60 impressions were drawn, with the seed 0"]
    by_file = invoke(
        "evaluate", "--log", archive / "packages.csv.gz", "--policy", "uniform", "--limit", 10, "--seed", 3
    )
    assert "10 of 60 impressions were drawn, with the seed 3" in by_file


def test_a_simulated_log_is_judged_end_to_end(invoke, tmp_path):
    path = tmp_path / "log.jsonl"
    simulated = invoke("simulate", "--out", path, "--logged", "--impressions", 300, "--seed", 1)
    clicks = int(simulated.split("clicks ")[1].split(",")[0])
    found = json.loads(invoke("evaluate", "--log", path, "--policy", "uniform", "--json"))
    assert found["decisions"] == 300
    assert found["logging"]["value"] == pytest.approx(clicks / 300)
    assert found["estimates"]["ips"]["value"] == pytest.approx(clicks / 300)
    assert set(found["estimates"]) == set(ESTIMATORS)


def test_the_streams_outcomes_are_replayed_under_other_settings_bit_for_bit(invoke, outcomes, tmp_path):
    settings = tmp_path / "other.toml"
    settings.write_text('[agent.explore]\nstrategy = "epsilon_greedy"\n')
    command = ["evaluate", "--log", outcomes, "--policy", f"settings:{settings}", "--json", "--seed", 5, *NUMBERS]
    first, again = invoke(*command), invoke(*command)
    assert first == again
    found = json.loads(first)
    assert found["loss"] > 0.0
    assert [part["start"] for part in found["parts"]] == [0, 100, 200, 300]
    other = json.loads(invoke("evaluate", "--log", outcomes, "--policy", "settings:", "--json", "--seed", 5, *NUMBERS))
    assert other["estimates"]["snips"] != found["estimates"]["snips"]  # the defaults explore otherwise


def test_a_person_sees_how_the_policy_learns(invoke, outcomes):
    said = invoke("evaluate", "--log", outcomes, "--policy", "settings:", "--estimator", "snips", *NUMBERS)
    assert "as it learns" in said
    assert "log loss before each decision was learned: " in said
    assert " dr " not in said


def test_slots_beyond_the_first_are_told(invoke, tmp_path):
    path = write_outcomes(tmp_path / "slates.jsonl", [shown(1), outcome()])
    said = invoke("evaluate", "--log", path, "--policy", "uniform")
    assert "1 decisions judged; left out, propensity not logged: 1" in said
    assert "note: 1 of 2 decisions show several slots: the first slot alone is judged" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--log", "nowhere", "--policy", "uniform"],
            "--log must be 'kafka', a file or a folder; got 'nowhere', which",
        ),
        (["--log", "FOLDER", "--policy", "uniform"], "--log must be one log of the Open Bandit data set, such as"),
        (["--log", "all", "--policy", "best"], "--policy must be one of uniform, logging, logged-scores, greedy:PATH"),
        (["--log", "all", "--policy", "uniform", "--estimator", "magic"], "--estimator must be one of ips, snips"),
        (["--log", "all", "--policy", "settings:"], "policies of the agent read events; Open Bandit "),
    ],
)
def test_what_is_wrong_is_one_line(monkeypatch, capsys, tmp_path, arguments, message):
    open_bandit_folder(tmp_path / "data" / "bts" / "all")
    places = {"FOLDER": str(tmp_path / "data"), "all": str(tmp_path / "data" / "bts" / "all")}
    monkeypatch.setattr(sys, "argv", ["streambandit", "evaluate", *(places.get(each, each) for each in arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_folder_that_holds_no_log_says_what_would_be_one(tmp_path):
    with pytest.raises(EvaluateError, match=r"a folder with item_context\.csv \(Open Bandit\) or packages\.csv\.gz"):
        read_log(str(tmp_path), Settings(), 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--space", "agent.explore.floor"], "--space must be KEY=VALUES; got"),
        (["--space", "seed=1,2"], "--space must name settings of the agent, such as agent.explore.floor; got 'seed'"),
        (["--space", "agent.explore.floor=0.1,2"], "agent.explore.floor must be"),
        (["--space", "agent.explore.floor=0..1", "--search", "grid"], "--space of a grid must name its values"),
        (["--space", "agent.explore.floor=0.1", "--estimator", "best"], "--estimator must be one of ips"),
        (["--space", "agent.explore.flour=0.1"], "agent.explore.flour"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_ray_starts(monkeypatch, capsys, outcomes, options, message):
    monkeypatch.setattr("deploy.cluster.cluster", lambda **_: pytest.fail("Ray was started"))
    monkeypatch.setattr(sys, "argv", ["streambandit", "tune", "--log", str(outcomes), *options])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err.startswith(message)


def test_a_search_on_a_log_that_is_none_is_refused_before_ray_starts(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("deploy.cluster.cluster", lambda **_: pytest.fail("Ray was started"))
    command = ["streambandit", "tune", "--log", str(tmp_path / "none"), "--space", "agent.explore.floor=0.1"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        cli.main()
    assert "which does not exist" in capsys.readouterr().err
