"""Connections to a secured broker: by password, by certificate, and what is said of each that fails."""

import os
import subprocess
import sys
import time
from contextlib import closing

import pytest
from support.secured import Secured

from stream.errors import LogUnavailableError
from stream.kafka.client import make_admin
from stream.kafka.diagnosis import why_no_answer
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import describe_topics

pytestmark = pytest.mark.kafka

FAST = {"bootstrap_timeout_ms": 1_000}
LIMIT_S = 8  # of a refused connection: the bootstrap's deadline and the look at why

CONNECTIONS = {
    "no broker": ({"bootstrap_servers": "127.0.0.1:1"}, "a broker must listen at 127.0.0.1:1"),
    "wrong password": ({"password": "wrong-one"}, "kafka.username or its password is wrong; user name 'agent'"),
    "wrong user": ({"username": "nobody"}, "kafka.username or its password is wrong; user name 'nobody'"),
    "wrong mechanism": (
        {"sasl_mechanism": "SCRAM-SHA-256"},
        r"kafka.sasl_mechanism must be one that the broker offers \(SCRAM-SHA-512, PLAIN\); got SCRAM-SHA-256",
    ),
    "no authority": ({"ssl_cafile": None}, "kafka.ssl_cafile must be that of the authority that signed"),
    "another authority": ({"ssl_cafile": "other"}, "kafka.ssl_cafile must be that of the authority that signed"),
    "no authority's file": ({"ssl_cafile": "/nowhere"}, "kafka.ssl_cafile must be a readable PEM file; got /nowhere"),
    "plaintext to TLS": (
        {"security_protocol": "PLAINTEXT", "sasl_mechanism": None},
        "the port speaks TLS, so kafka.security_protocol must be SSL or SASL_SSL; got PLAINTEXT",
    ),
    "password without TLS": (
        {"security_protocol": "SASL_PLAINTEXT"},
        "the port speaks TLS, so kafka.security_protocol must be SSL or SASL_SSL; got SASL_PLAINTEXT",
    ),
    "TLS without password": (
        {"security_protocol": "SSL", "sasl_mechanism": None},
        r"the port asks for SASL \(SCRAM-SHA-512, PLAIN\), so kafka.security_protocol must be with it; got SSL",
    ),
}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_a_connection_that_fails_says_why_once_and_soon(secured, case):
    changed, told = CONNECTIONS[case]
    if changed.get("ssl_cafile") == "other":
        changed = {"ssl_cafile": str(secured.certificates.other_authority)}
    started = time.monotonic()
    with pytest.raises(LogUnavailableError, match=told) as caught:
        describe_topics(secured.settings("agent", **FAST, **changed))
    assert time.monotonic() - started < LIMIT_S
    text = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert secured.security.passwords["agent"] not in text
    assert "wrong-one" not in text


def test_a_tls_client_at_a_port_without_tls_is_told_so(secured, broker):
    with pytest.raises(LogUnavailableError, match=r"the port must speak TLS, as kafka.security_protocol SASL_SSL has"):
        describe_topics(secured.settings("agent", bootstrap_servers=broker.bootstrap, **FAST))
    plain = {"security_protocol": "SASL_PLAINTEXT", "bootstrap_servers": broker.bootstrap}
    with pytest.raises(LogUnavailableError, match="the port asks for no SASL"):
        describe_topics(secured.settings("agent", **plain, **FAST))


def test_plain_passwords_and_those_of_a_file_are_taken_as_well(secured, tmp_path):
    file = tmp_path / "password"
    file.write_text(secured.security.passwords["agent"] + "\n")
    settings = secured.settings("agent", sasl_mechanism="PLAIN", password=None, password_file=file)
    assert describe_topics(settings).problems == ()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_password_is_not_blamed_where_the_cluster_is_only_slow(secured, mechanism):
    """Asked of a cluster that does answer: whoever is let in is not told that the password is wrong."""
    assert why_no_answer(secured.settings("agent", sasl_mechanism=mechanism)) == (
        "the broker at the first address lets us in, but the cluster as a whole did not answer in time"
    )
    wrong = secured.settings("agent", sasl_mechanism=mechanism, password="wrong-one")  # noqa: S106
    assert why_no_answer(wrong).startswith("kafka.username or its password is wrong")


def mutual(secured: Secured, **changed) -> KafkaSettings:
    certificates = secured.certificates
    given = {
        "bootstrap_servers": secured.broker.mutual,
        "security_protocol": "SSL",
        "ssl_cafile": str(certificates.authority),
        "ssl_certfile": str(certificates.client),
        "ssl_keyfile": str(certificates.client_key),
        "ssl_key_password": certificates.key_password,
    }
    return KafkaSettings(**FAST, **{**given, **changed})


def test_a_certificate_of_our_own_is_enough_where_the_broker_asks_for_one(secured):
    with closing(make_admin(mutual(secured))) as admin:
        assert admin.describe_cluster()["brokers"]
    assert describe_topics(mutual(secured)).problems == ()


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_key_that_cannot_be_opened_is_named_and_asks_nobody(secured, password, capfd):
    with pytest.raises(LogUnavailableError, match=r"kafka.ssl_key_password that of the key"):
        describe_topics(mutual(secured, ssl_key_password=password))
    assert "pass phrase" not in "".join(capfd.readouterr())


def test_without_a_certificate_that_broker_is_told_apart(secured):
    absent = {"ssl_certfile": None, "ssl_keyfile": None, "ssl_key_password": None}
    with pytest.raises(LogUnavailableError, match=r"kafka.ssl_certfile must be a certificate that the broker accepts"):
        describe_topics(mutual(secured, **absent))


@pytest.mark.parametrize(
    ("user", "password", "told"),
    [
        ("stranger", None, "User:stranger must have Read on topic 'impressions' (kafka.topics.impressions), "),
        ("agent", "wrong-one", "kafka.username or its password is wrong; user name 'agent' with SCRAM-SHA-512"),
    ],
)
def test_a_run_that_is_refused_ends_with_one_line(secured, user, password, told, tmp_path):
    settings = secured.settings(user, **FAST)
    chosen = settings.model_dump(mode="json", exclude={"password", "topics"}, exclude_none=True)
    options = [part for name, value in chosen.items() for part in ("--set", f"kafka.{name}={value}")]
    secret = password or secured.security.passwords[user]
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "run", *options],
        env={**os.environ, "STREAMBANDIT_KAFKA__PASSWORD": secret},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
    assert secret not in done.stdout + done.stderr
