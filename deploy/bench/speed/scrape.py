"""What an agent's metrics say, read from its endpoint as Prometheus reads it."""

import re
import socket
from urllib.request import urlopen

from stream.meter import LATENCY_BUCKETS_MS, Histogram

_BUCKET = re.compile(r"streambandit_(\w+)_seconds_bucket\{(?:.*,)?le=\"([^\"]+)\".*\} (\S+)")
_WITHIN_S = 10.0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def histogram(port: int, name: str) -> Histogram:
    """A distribution as the endpoint of this machine has it, in milliseconds.

    Args:
        port: of the endpoint.
        name: of the metric, without the project's prefix and its unit.
    """
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_WITHIN_S) as answer:
        return parsed(answer.read().decode(), name)


def parsed(text: str, name: str) -> Histogram:
    r"""The same, from what the endpoint said.

    >>> lines = [f'streambandit_x_seconds_bucket{{le="{ms / 1_000}"}} {float(ms >= 5)}' for ms in LATENCY_BUCKETS_MS]
    >>> found = parsed("\n".join([*lines, 'streambandit_x_seconds_bucket{le="+Inf"} 3.0']), "x")
    >>> found.buckets[3:5], found.buckets[-1]                  # one of up to 5 ms, two above all bounds
    ([1, 0], 2)
    """
    up_to = {float(bound): float(count) for found, bound, count in _BUCKET.findall(text) if found == name}
    counts = [count for _, count in sorted(up_to.items())]
    buckets = [round(after - before) for before, after in zip([0.0, *counts], counts, strict=False)]
    return Histogram(buckets=buckets or [0] * (len(LATENCY_BUCKETS_MS) + 1))


def since(before: Histogram, after: Histogram) -> Histogram:
    """What came between two looks at one distribution.

    >>> since(Histogram(buckets=[1, 2]), Histogram(buckets=[1, 5])).buckets
    [0, 3]
    """
    return Histogram(buckets=[b - a for a, b in zip(before.buckets, after.buckets, strict=True)])
