"""The short form of the attacks: kills in chosen phases, an independent audit, two broken builds that it catches."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos import forms
from chaos.attack import attack
from chaos.auditor import Findings
from chaos.killer import end
from chaos.marks import Marks, Watch
from chaos.report import caught

from deploy.broker.broker import Broker, start_broker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]
SEED = 11
NOTHING = ("lost", "twice", "outcomes_lost", "outcomes_twice", "clicks_lost", "clicks_wrong", "improper_propensities")


@pytest.fixture
def own_broker(broker: Broker, tmp_path: Path) -> Iterator[Broker]:
    """A broker that may be killed; `broker` tells whether one can be had at all."""
    with start_broker(tmp_path) as own:
        yield own


def test_bare_runners_lose_nothing_and_repeat_nothing_under_kills(own_broker: Broker, tmp_path: Path) -> None:
    report = attack(forms.bare(SEED, short=True), own_broker, tmp_path / "bare")
    assert report["violations"] == []
    assert {name: report["counts"][name] for name in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert report["counts"]["outcomes"] == report["counts"]["decisions"] >= 0.98 * report["counts"]["impressions"]
    assert report["counts"]["impressions"] >= 3_000
    assert report["kills_counted"] >= 5
    assert report["kills"].keys() >= {"runner transaction", "runner committing", "runner replay", "broker up"}


@pytest.mark.ray
def test_driver_and_runner_actors_are_killed_and_the_learner_learns_each_outcome_once(
    own_broker: Broker, tmp_path: Path
) -> None:
    report = attack(forms.ray(SEED, short=True), own_broker, tmp_path / "ray")
    assert report["violations"] == []
    assert report["counts"]["learned"] == report["counts"]["outcomes"] > 0
    assert report["counts"]["learned_digest"] == report["counts"]["outcomes_digest"]
    assert report["kills"] == {"driver checkpoint": 1, "runner transaction": 1}


@pytest.mark.parametrize("build", ["swapped", "repeat"])
def test_the_audit_catches_a_broken_build(build: str, own_broker: Broker, tmp_path: Path) -> None:
    report = attack(forms.broken(SEED, build), own_broker, tmp_path / build)
    assert report["kills_counted"] >= 1
    assert caught(report)


def test_a_kill_is_counted_only_where_it_hit_the_living(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert end(child.pid)
    assert child.wait(5) == -9
    assert not end(child.pid)
    Marks(tmp_path, "runner", 0).enter("replay")
    assert [(seen.pid, seen.phase) for seen in Watch(tmp_path).living("runner")] == [(os.getpid(), "replay")]


def test_findings_name_what_must_not_be() -> None:
    findings = Findings()
    findings.count("lost", [])
    findings.count("twice", ["i1"])
    assert findings.counts == {"lost": 0, "twice": 1}
    assert findings.violations == ["twice must be 0; got 1"]
