"""The connection's settings: what goes together, and that a password shows in nothing but the connection itself."""

import pickle

import pytest
from pydantic import ValidationError

from deploy.errors import SettingsError
from deploy.settings import Settings
from deploy.settings_example import example_toml
from deploy.settings_load import load_settings
from stream.errors import SecretError
from stream.kafka.settings import KafkaSettings

SECRET = "hunter2-hunter2"  # noqa: S105
SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "username": "agent"}


@pytest.fixture
def mounted(tmp_path):
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    return file


def test_a_password_comes_from_the_setting_or_from_its_file(mounted):
    for settings in (KafkaSettings(**SASL, password=SECRET), KafkaSettings(**SASL, password_file=mounted)):
        connection = settings.connection()
        assert connection["sasl_plain_password"] == SECRET
        assert connection["sasl_plain_username"] == "agent"
        assert SECRET not in repr(settings) + str(settings.model_dump(mode="json")) + settings.model_dump_json()


def test_only_the_file_keeps_the_password_out_of_what_travels_between_processes(mounted):
    assert SECRET.encode() not in pickle.dumps(KafkaSettings(**SASL, password_file=mounted))
    assert SECRET.encode() in pickle.dumps(KafkaSettings(**SASL, password=SECRET)), "docs/security.md says so"


def test_the_environment_the_file_and_the_command_line_can_each_hold_it(tmp_path, mounted, monkeypatch):
    options = [f"kafka.{name}={value}" for name, value in SASL.items()]
    monkeypatch.setenv("STREAMBANDIT_KAFKA__PASSWORD", SECRET)
    assert load_settings(overrides=options).kafka.connection()["sasl_plain_password"] == SECRET
    monkeypatch.delenv("STREAMBANDIT_KAFKA__PASSWORD")
    monkeypatch.setenv("STREAMBANDIT_KAFKA__PASSWORD_FILE", str(mounted))
    assert load_settings(overrides=options).kafka.connection()["sasl_plain_password"] == SECRET
    monkeypatch.delenv("STREAMBANDIT_KAFKA__PASSWORD_FILE")
    config = tmp_path / "agent.toml"
    config.write_text(f'[kafka]\npassword = "{SECRET}"')
    found = load_settings(config, options)
    assert found.kafka.connection()["sasl_plain_password"] == SECRET
    assert SECRET not in example_toml(found) + repr(found) + str(found.redacted())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "username, and password or password_file, must be set"),
        ({"password": SECRET, "password_file": "/p"}, "password and password_file must not both be set"),
        ({"password": SECRET, "username": None}, "username, and password or password_file, must be set"),
        ({"password": SECRET, "sasl_mechanism": None}, "sasl_mechanism must be set with a SASL"),
        ({"password": SECRET, "sasl_mechanism": "GSSAPI"}, "PLAIN"),
        ({"password": ""}, "at least 1"),
        ({"password": SECRET, "ssl_keyfile": "/k"}, "ssl_certfile must be set where ssl_keyfile"),
        ({"password": SECRET, "ssl_certfile": "/c", "ssl_key_password": SECRET, "ssl_key_password_file": "/p"}, "both"),
        ({"password": SECRET, "nonsense": 1}, "nonsense"),
        ({"password": [SECRET]}, "password"),
    ],
)
def test_what_does_not_go_together_is_refused_without_showing_the_password(changed, told):
    with pytest.raises(ValidationError, match=told) as caught:
        KafkaSettings(**{**SASL, **changed})
    with pytest.raises(ValidationError) as whole:
        Settings(kafka={**SASL, **changed})
    assert SECRET not in str(caught.value) + repr(caught.value) + str(whole.value)
    overrides = [f"kafka.{name}={value}" for name, value in {**SASL, **changed}.items() if value is not None]
    with pytest.raises(SettingsError) as loaded:
        load_settings(overrides=overrides)
    assert SECRET not in str(loaded.value)


def test_a_missing_file_shows_when_it_is_needed(tmp_path):
    settings = KafkaSettings(**SASL, password_file=tmp_path / "none")
    with pytest.raises(SecretError, match=r"kafka.password_file must be a readable file"):
        settings.connection()


def test_a_certificate_of_our_own_reaches_the_client_and_never_asks_the_terminal(mounted):
    tls = {"security_protocol": "SSL", "ssl_cafile": "/ca", "ssl_certfile": "/c", "ssl_keyfile": "/k"}
    connection = KafkaSettings(**tls, ssl_key_password_file=mounted).connection()
    assert [connection[f"ssl_{name}"] for name in ("cafile", "certfile", "keyfile", "password")] == [
        "/ca",
        "/c",
        "/k",
        SECRET,
    ]
    assert KafkaSettings(**tls).connection()["ssl_password"] == ""


@pytest.mark.parametrize(
    ("given", "principal"),
    [
        ({}, "User:ANONYMOUS"),
        ({**SASL, "password": "x"}, "User:agent"),
        ({"security_protocol": "SSL", "ssl_certfile": "/c"}, "User:<name in ssl_certfile>"),
    ],
)
def test_the_principal_is_who_the_broker_takes_us_for(given, principal):
    assert KafkaSettings(**given).principal == principal
