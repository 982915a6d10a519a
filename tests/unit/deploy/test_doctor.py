"""The doctor: what it says of what is here, what is missing, and of keys that are placed wrong."""

import importlib.util
import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from agent.errors import EncoderError
from deploy import doctor, doctor_kafka
from deploy.doctor import Finding, examine
from deploy.settings_load import load_settings
from stream.codec import JsonCodec
from stream.events import Candidate, Click, Impression
from stream.log import Record


def impression(user: str, partition: int, key: bytes | None = None) -> Record:
    event = Impression(impression_id="i", user_id=user, ts_ms=5, candidates=(Candidate(item_id="a"),))
    return Record("impressions", partition, 7, key or user.encode(), JsonCodec().encode(event), (), 5)


def click(user: str, partition: int) -> Record:
    event = Click(impression_id="i", user_id=user, item_id="a", ts_ms=9)
    return Record("clicks", partition, 3, user.encode(), JsonCodec().encode(event), (), 9)


def told(settings, **options) -> tuple[bool, str]:
    out = io.StringIO()
    healthy = examine(settings, Console(file=out, width=200), start_ray=False, **options)
    return healthy, out.getvalue()


def test_without_text_and_broker_all_is_well():
    healthy, text = told(load_settings(overrides=["agent.features.text=off"]), broker=False)
    assert healthy
    assert "✓ Python 3." in text
    assert "– encoder: not used" in text
    assert "✗" not in text


def test_packages_that_every_start_compiles_anew_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert not list(doctor.bytecode(load_settings()))  # the first start will write it
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (finding,) = doctor.bytecode(load_settings())
    assert finding.state == "note"
    assert "PYTHONDONTWRITEBYTECODE" in finding.advice
    there = Path(importlib.util.cache_from_source(importlib.util.find_spec("torch").origin))
    there.parent.mkdir(parents=True)
    there.touch()
    assert not list(doctor.bytecode(load_settings()))


def test_an_encoder_that_does_not_load_says_what_to_do(monkeypatch):
    def fail(settings):
        raise EncoderError("encoder.model must be set")

    monkeypatch.setattr(doctor, "_encode", fail)
    healthy, text = told(load_settings(), broker=False)
    assert not healthy
    assert "✗ encoder: encoder.model must be set" in text
    assert "→ install the extra `minilm`" in text


def test_an_encoder_that_loads_says_what_it_is(monkeypatch):
    monkeypatch.setattr(doctor, "_encode", lambda settings: (384, "abc"))
    healthy, text = told(load_settings(), broker=False)
    assert healthy
    assert "✓ encoder: packaged MiniLM loads by onnx-int8; 384 dimensions, version abc" in text


def test_missing_java_is_no_fault_but_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "missing", lambda: "a real broker needs Java; missing: java")
    healthy, text = told(load_settings(overrides=["agent.features.text=off"]), broker=False)
    assert healthy
    assert "– no local broker can be started: a real broker needs Java" in text


def test_a_broker_that_does_not_answer_is_a_fault_with_a_way_out():
    settings = load_settings(overrides=["kafka.bootstrap_servers=127.0.0.1:1", "kafka.bootstrap_timeout_ms=200"])
    (finding,) = doctor_kafka.kafka(settings)
    assert finding.state == "bad"
    assert "127.0.0.1:1" in finding.what
    assert "make broker" in finding.advice


@pytest.mark.parametrize(
    ("records", "state", "text"),
    [
        ([], "note", "no impressions or clicks"),
        ([impression("u", 1), click("u", 1), click("v", 0)], "good", "3 sampled records of 2 users"),
        ([impression("u", 1, b"v")], "bad", r"impressions[1]@7 must be keyed by its user_id; got b'v'"),
        ([impression("u", 1), click("u", 2)], "bad", "got one in impressions[1] and clicks[2]"),
    ],
)
def test_keys_are_judged_by_a_sample(records, state, text):
    finding: Finding = list(doctor_kafka.keys(records))[-1]
    assert finding.state == state
    assert text in finding.what


def test_an_invalid_record_is_mentioned_once_and_the_rest_judged():
    junk = Record("clicks", 0, 1, b"u", b"junk", (), 1)
    first, last = doctor_kafka.keys([junk, junk, click("u", 0)])
    assert (first.state, last.state) == ("note", "good")
    assert "clicks[0]@1" in first.what
