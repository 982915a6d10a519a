"""The Prometheus endpoint, open for the time of a run."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from deploy.errors import MetricsError
from deploy.metrics import Metrics
from deploy.settings import MetricsSettings

_log = logging.getLogger("streambandit.metrics")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address to listen on.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # listening will say what is wrong with it
    return all(ip_address(str(address).partition("%")[0]).is_loopback for address in found)


@contextmanager
def serving(settings: MetricsSettings, *, any_port: bool = False) -> Iterator[tuple[Metrics | None, str]]:
    """The metrics and the address of their endpoint; None and "" where the settings switch it off.

    Args:
        settings: where to listen.
        any_port: take a free port where the one of the settings is in use, instead of an error.

    Raises:
        MetricsError: the address cannot be listened on.
    """
    if not settings.enabled:
        yield None, ""
        return
    if not is_loopback(settings.host):
        _log.warning("metrics.host %s is reached from other machines, and the endpoint asks no password", settings.host)
    metrics = Metrics()
    try:
        port = metrics.serve(settings.host, settings.port)
    except MetricsError:
        if not any_port:
            raise
        port = metrics.serve(settings.host, 0)
    try:
        yield metrics, f"http://{settings.host}:{port}/metrics"
    finally:
        metrics.close()
