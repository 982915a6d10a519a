"""What tests and demonstrations expect of the broker's package, apart from a running broker."""

import threading
import time

import pytest

from deploy.broker import jars
from deploy.broker.errors import BrokerError


def test_jars_are_fetched_once_also_when_two_ask_at_the_same_time(tmp_path, monkeypatch):
    fetched = []

    def copy(target) -> None:
        fetched.append(target)
        time.sleep(0.1)
        target.mkdir()

    monkeypatch.setattr(jars, "HOME", tmp_path / ".broker")
    monkeypatch.setattr(jars, "_copy_dependencies", copy)
    threads = [threading.Thread(target=jars.fetch_jars) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(fetched) == 1
    assert (jars.fetch_jars() / "pom.xml").read_bytes() == jars.POM.read_bytes()
    (tmp_path / ".broker" / "lib" / "pom.xml").write_text("an older one")
    jars.fetch_jars()
    assert len(fetched) == 2


def test_a_fetch_that_fails_leaves_no_half_library(tmp_path, monkeypatch):
    def fail(target) -> None:
        target.mkdir()
        raise BrokerError("mvn must fetch the broker's jars; it failed")

    monkeypatch.setattr(jars, "HOME", tmp_path)
    monkeypatch.setattr(jars, "_copy_dependencies", fail)
    with pytest.raises(BrokerError):
        jars.fetch_jars()
    assert not (tmp_path / "lib").exists()


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(jars.shutil, "which", lambda tool: None if tool == "mvn" else f"/usr/bin/{tool}")
    assert jars.missing() == "a real broker needs Java 17 and Maven on the PATH; missing: mvn"
