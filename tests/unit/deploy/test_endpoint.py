"""Where the metrics endpoint listens: on this machine alone, unless somebody wants more and is told what it means."""

import io
import logging
import socket
from urllib.request import urlopen

import pytest
from rich.console import Console

from deploy import doctor
from deploy.doctor import examine
from deploy.endpoint import is_loopback, serving
from deploy.settings import MetricsSettings, Settings
from deploy.settings_load import load_settings

NUMERIC = "agent.features.text=off"


def own_address() -> str | None:
    """An address of this machine that others reach; None where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def test_by_default_only_this_machine_reaches_it(caplog):
    assert Settings().metrics.host == "127.0.0.1"
    with caplog.at_level(logging.WARNING), serving(MetricsSettings(port=0)) as (_, address):
        assert address.startswith("http://127.0.0.1:")
        with urlopen(address, timeout=5) as answer:  # noqa: S310 - our own
            assert answer.status == 200
        outside, port = own_address(), int(address.split(":")[2].split("/")[0])
        if outside is not None:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((outside, port), timeout=5)
    assert caplog.messages == []


def test_an_address_that_others_reach_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING), serving(MetricsSettings(host="0.0.0.0", port=0)):  # noqa: S104
        pass
    assert caplog.messages == ["metrics.host 0.0.0.0 is reached from other machines, and the endpoint asks no password"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_has_several_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "no such host"])  # noqa: S104
def test_everything_else_is_not(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(("host", "noted"), [("127.0.0.1", False), ("0.0.0.0", True)])  # noqa: S104
def test_the_doctor_notes_it(host, noted, monkeypatch):
    monkeypatch.setattr(doctor, "local_broker", lambda settings: iter(()))
    out = io.StringIO()
    settings = load_settings(overrides=[NUMERIC, f"metrics.host={host}"])
    assert examine(settings, Console(file=out, width=200), start_ray=False, broker=False)
    assert (f"– metrics: the endpoint on {host} answers everyone" in out.getvalue()) is noted
