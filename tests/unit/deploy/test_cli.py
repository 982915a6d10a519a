"""The command line: quick help, options that reach what they mean, errors as one line."""

import subprocess
import sys
import types

import pytest
from typer.testing import CliRunner

from deploy import cli
from deploy.cli import app
from deploy.settings import Settings
from stream.asyncapi import asyncapi_json

COMMANDS = ("demo", "run", "simulate", "evaluate", "tune", "topics", "acls", "doctor", "settings", "asyncapi")


@pytest.fixture
def invoke(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> str:
        found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    return run


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a module in place of one that would load Ray, and keeps what its functions are called with."""

    def put(name: str, **functions: str) -> list:
        calls: list = []
        module = types.ModuleType(name)
        for kind, function in functions.items():
            setattr(module, kind, lambda **options: options)
            setattr(module, function, lambda *arguments: calls.append(arguments) or module.result)
        module.result = None
        monkeypatch.setitem(sys.modules, name, module)
        return calls

    return put


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_help_and_has_its_own(invoke, command):
    assert command in invoke("--help")
    assert "Usage: " in invoke(command, "--help")


def test_help_loads_nothing_heavy():
    code = (
        "import sys, deploy.cli; print([n for n in ('torch', 'ray', 'kafka', 'numpy', 'pydantic') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_demo_passes_its_options_and_settings_on(invoke, stand_in, tmp_path):
    calls = stand_in("deploy.demo", DemoOptions="run_demo")
    arguments = ["--world", "upworthy", "--data", str(tmp_path), "--log", "kafka", "--decisions", "50", "--seed", "3"]
    invoke("demo", *arguments, "--set", "seed=9", "--set", "agent.explore.floor=0.5")
    ((settings, options),) = calls
    assert options == {"world": "upworthy", "log": "kafka", "decisions": 50}
    assert (settings.upworthy.path, settings.seed, settings.agent.explore.floor) == (tmp_path, 3, 0.5)


def test_run_passes_its_options_on(invoke, stand_in, tmp_path):
    calls = stand_in("deploy.run", RunOptions="run_agent")
    sys.modules["deploy.run"].result = tmp_path
    config = tmp_path / "agent.toml"
    config.write_text("[kafka]\ngroup_id = 'mine'")
    said = invoke("run", "--config", str(config), "--max-decisions", "7", "--idle-exit-s", "2")
    ((settings, options),) = calls
    assert options == {"max_decisions": 7, "idle_exit_s": 2.0}
    assert settings.kafka.group_id == "mine"
    assert f"{tmp_path / 'report.html'}" in said


@pytest.mark.parametrize(
    ("command", "kind", "function"), [("run", "RunOptions", "run_agent"), ("demo", "DemoOptions", "run_demo")]
)
def test_a_start_becomes_its_setting(invoke, stand_in, tmp_path, command, kind, function):
    calls = stand_in(f"deploy.{command}", **{kind: function})
    sys.modules[f"deploy.{command}"].result = tmp_path
    invoke(command, "--start", str(tmp_path / "learned"), "--set", "seed=3")
    assert (calls[0][0].checkpoint.start, calls[0][0].seed) == (tmp_path / "learned", 3)


def test_simulate_writes_a_log_and_says_what_happened(invoke, tmp_path):
    said = invoke("simulate", "--out", str(tmp_path / "log.jsonl"), "--impressions", "30", "--seed", "1")
    assert "impressions 30, clicks " in said
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) >= 30


def test_settings_prints_a_file_that_loads_and_asyncapi_the_document(invoke, tmp_path):
    path = tmp_path / "all.toml"
    path.write_text(invoke("settings", "--set", "seed=8"))
    assert invoke("settings", "--config", str(path)) == path.read_text()
    assert "\nseed = 8\n" in path.read_text()
    assert invoke("asyncapi") == asyncapi_json()


def test_an_error_is_one_line_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["streambandit", "settings", "--set", "agent.explore.floor=[bold]"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    rule = "agent.explore.floor must be a valid number, unable to parse string as a number"
    assert err == f"{rule}; got '[bold]' (--set agent.explore.floor)\n"


def test_the_exit_code_says_what_the_doctor_found(stand_in):
    stand_in("deploy.doctor", unused="unused")
    module = sys.modules["deploy.doctor"]
    for healthy, code in ((True, 0), (False, 1)):
        module.examine = lambda settings, console, healthy=healthy, **options: (
            healthy and isinstance(settings, Settings)
        )
        assert CliRunner().invoke(app, ["doctor", "--memory"]).exit_code == code
