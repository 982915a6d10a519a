"""The Prometheus endpoint, open for the time of a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.errors import MetricsError
from deploy.metrics import Metrics
from deploy.settings import MetricsSettings


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
