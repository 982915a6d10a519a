"""The settings: which source wins, what a wrong key or value says of itself, and that no secret shows."""

import os
import pickle
import re
import tomllib
from pathlib import Path

import pytest

from deploy.errors import SettingsError
from deploy.settings import Settings
from deploy.settings_example import example_toml
from deploy.settings_keys import keys_of
from deploy.settings_load import load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("STREAMBANDIT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "agent.toml"
        path.write_text(text)
        return path

    return write


def message(config=None, overrides=()) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config, overrides)
    assert caught.value.__cause__ is None  # the cause would print the values
    return str(caught.value)


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_defaults(config, monkeypatch):
    path = config("seed = 1\n[agent.explore]\nfloor = 0.1\nepsilon = 0.1\ngap_scale = 1.0")
    monkeypatch.setenv("STREAMBANDIT_AGENT__EXPLORE__FLOOR", "0.2")
    monkeypatch.setenv("STREAMBANDIT_AGENT__EXPLORE__EPSILON", "0.2")
    explore = load_settings(path, ["agent.explore.floor=0.3"]).agent.explore
    assert (explore.floor, explore.epsilon, explore.gap_scale, explore.inverse_temperature) == (0.3, 0.2, 1.0, None)
    assert load_settings(path, ["seed=2", "seed=3"]).seed == 3


def test_built_directly_settings_read_no_environment(monkeypatch):
    monkeypatch.setenv("STREAMBANDIT_SEED", "5")
    assert (Settings().seed, load_settings().seed) == (0, 5)


def test_settings_are_frozen_and_travel_between_processes():
    settings = load_settings(overrides=["seed=4"])
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 5


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("kafka.group_id=123", lambda s: s.kafka.group_id == "123"),
        ('agent.encoder.model="null"', lambda s: s.agent.encoder.model == "null"),
        ("agent.encoder.model=null", lambda s: s.agent.encoder.model is None),
        ("agent.expert.refresh_rows=[1, 2]", lambda s: s.agent.expert.refresh_rows == (1, 2)),
        ("core.reward.kinds={ click = 1, buy = 5 }", lambda s: s.core.reward.kinds == {"click": 1.0, "buy": 5.0}),
        ('core.reward.kinds={"buy": 5}', lambda s: s.core.reward.kinds == {"buy": 5.0}),
        ("core.reward.kinds.buy=5", lambda s: s.core.reward.kinds == {"buy": 5.0}),
        ("metrics.enabled=false", lambda s: s.metrics.enabled is False),
        ("core.decide_deadline_ms=250", lambda s: s.core.decide_deadline_ms == 250),
        ("run_dir=a=b", lambda s: s.run_dir == Path("a=b")),
    ],
)
def test_overrides_are_read_as_they_are_meant(override, found):
    assert found(load_settings(overrides=[override]))


def test_the_environment_reads_lists_tables_and_null(monkeypatch):
    monkeypatch.setenv("STREAMBANDIT_AGENT__EXPERT__REFRESH_ROWS", "[8, 9]")
    monkeypatch.setenv("STREAMBANDIT_AGENT__EXPLORE", '{"floor": 0.5}')
    monkeypatch.setenv("STREAMBANDIT_CORE__DECIDE_DEADLINE_MS", "null")
    settings = load_settings()
    assert settings.agent.expert.refresh_rows == (8, 9)
    assert settings.agent.explore.floor == 0.5
    assert settings.core.decide_deadline_ms is None


def test_a_wrong_value_names_key_rule_value_and_source(config, monkeypatch):
    assert message(overrides=["agent.explore.floor=0"]) == (
        "agent.explore.floor must be greater than 0; got '0' (--set agent.explore.floor)"
    )
    path = config("[agent.explore]\nfloor = 2.0")
    assert message(path) == f"agent.explore.floor must be less than or equal to 1; got 2.0 ({path})"
    monkeypatch.setenv("STREAMBANDIT_WORLD__RATE_PER_S", "fast")
    assert message() == (
        "world.rate_per_s must be a valid number, unable to parse string as a number; "
        "got 'fast' (STREAMBANDIT_WORLD__RATE_PER_S)"
    )


def test_the_source_that_won_is_the_one_named(config, monkeypatch):
    monkeypatch.setenv("STREAMBANDIT_SEED", "-1")
    assert message(config("seed = 3")).endswith("got '-1' (STREAMBANDIT_SEED)")
    assert message(config("seed = 3"), ["seed=-2"]).endswith("got '-2' (--set seed)")


def test_every_wrong_key_is_named(config):
    told = message(config("[agent]\nscorer = 'x'\n[agent.explore]\nflor = 1\n[nonsense]\na = 1")).splitlines()
    assert len(told) == 3
    assert any(re.match("agent.scorer must be 'expert' or 'cosine'; got 'x'", line) for line in told)
    assert any(
        line.startswith("agent.explore.flor is not a setting; did you mean agent.explore.floor?") for line in told
    )
    assert any(line.startswith("nonsense is not a setting") for line in told)


def test_a_variable_of_no_section_is_named(monkeypatch):
    monkeypatch.setenv("STREAMBANDIT_AGNET__SEED", "1")
    assert message().startswith("environment variable STREAMBANDIT_AGNET__SEED must name a setting; 'agnet' is none of")
    monkeypatch.delenv("STREAMBANDIT_AGNET__SEED")
    monkeypatch.setenv("STREAMBANDIT_AGENT__EXPLORE__FLOR", "1")
    assert "did you mean agent.explore.floor? (STREAMBANDIT_AGENT__EXPLORE__FLOR)" in message()
    monkeypatch.delenv("STREAMBANDIT_AGENT__EXPLORE__FLOR")
    monkeypatch.setenv("STREAMBANDIT_AGENT", "{broken")
    assert message().endswith("one of these does not: STREAMBANDIT_AGENT")


def test_rules_over_several_keys_name_their_section():
    told = message(overrides=["kafka.commit_timeout_ms=20000"])
    assert told.startswith(
        "kafka is not valid: commit_timeout_ms must be below transaction_timeout_ms (10000); got 20000"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [("seed = \nrun_dir = 1", r"agent\.toml must be TOML: .*line 1"), ("a = 1\nb = [", r"agent\.toml must be TOML: ")],
)
def test_a_broken_file_is_named_with_its_line(config, text, told):
    assert re.search(told, message(config(text)))


def test_a_missing_file_and_a_broken_override_are_named(tmp_path):
    assert message(tmp_path / "none.toml") == f"--config must be a TOML file; there is none at {tmp_path / 'none.toml'}"
    assert message(overrides=["seed"]) == "--set must be KEY=VALUE; got 'seed'"
    assert message(overrides=["=3"]) == "--set must be KEY=VALUE; got ''"


@pytest.mark.parametrize(
    "overrides",
    [
        ["kafka.password=hunter2", "kafka.partitions=0"],
        ["kafka.password=[hunter2"],
        ['kafka.password=["hunter2"]'],
        ["kafka.pasword=hunter2"],
        ["kafka.password:hunter2"],
        ["kafka=hunter2"],
        ["kafka.password.x=hunter2"],
        ["kafka.password=hunter2"],
        ["kafka.password=hunter2", "kafka.sasl_mechanism=PLAIN"],
    ],
)
def test_no_message_holds_a_secret(overrides):
    try:
        shown = str(load_settings(overrides=overrides).redacted()) + repr(load_settings(overrides=overrides))
    except SettingsError as error:
        shown = str(error)
    assert "hunter2" not in shown


def test_a_secret_in_a_broken_file_or_variable_does_not_show(config, monkeypatch):
    assert "hunter2" not in message(config("[kafka]\npassword = hunter2"))
    monkeypatch.setenv("STREAMBANDIT_KAFKA", '{"password": "hunter2"')
    assert "hunter2" not in message()


def test_the_example_loads_as_the_defaults_and_names_every_key(config):
    text = example_toml()
    assert load_settings(config(text)) == Settings()
    assert set(tomllib.loads(text)) <= set(Settings.model_fields)
    for key in keys_of(Settings):
        assert re.search(rf"^(# )?{key.path[-1]} =", text, re.MULTILINE), key.dotted


def test_the_example_of_other_settings_loads_as_they_are(config):
    settings = load_settings(overrides=['core.reward.kinds={"a b": 2}', "agent.encoder.model=bert", "world.name=ü\"'"])
    assert load_settings(config(example_toml(settings))) == settings
