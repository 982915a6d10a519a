"""How old feedback is when it first decides, live schedule, over Kafka at 500 impressions a second.

The agent measures it and tells it in its metrics: from the close of an outcome, and from the joining of a click, to the
swap to weights that hold it, after which the next micro-batch is decided by them. The other side is the bound that was
set.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from deploy.bench.errors import BenchError
from deploy.bench.speed.figure import Figure, Goal
from deploy.bench.speed.pacing import pace
from deploy.bench.speed.scrape import free_port, histogram, since
from deploy.bench.speed.sides import agent, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import settings_for, warm_of, warm_up
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.settings import MetricsSettings, Settings
from stream.meter import Histogram

RATE = 500
_KINDS = ("outcome", "click")
_BOUND_MS = {"p50": 1_000.0, "p99": 3_000.0}
_QUANTILES = {"p50": 0.5, "p99": 0.99}
_TOLD_S = 2.0  # until metrics tell what was counted


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Quantiles of the age over their bounds."""
    with TemporaryDirectory() as folder, start_broker() as broker:
        settings = settings_for(broker.bootstrap)
        plan = Plan(warm_of(quick=quick), 1.0, 5.0) if quick else Plan(warm_of(quick=quick), 4.0, 60.0)
        return _measure(settings, Path(folder), plan, say)


class Plan(NamedTuple):
    """How long is waited, and measured.

    Attributes:
        warm: impressions at once, before.
        windows: then at the steady rate, before anything is measured: outcomes close as steadily after one; after four
            the last refresh is over.
        seconds: that are measured.
    """

    warm: int
    windows: float
    seconds: float


def _measure(settings: Settings, folder: Path, plan: Plan, say: Callable[[str], None]) -> list[Figure]:
    port = free_port()
    settings = settings.model_copy(update={"metrics": MetricsSettings(port=port)})
    with wire(settings, "agent", transactional=False) as (mine, one), agent(mine, folder / "agent"):
        traffic = Traffic(TrafficSettings(), wall_clock_ms())
        warm_up(one, traffic, plan.warm)
        pace(one, traffic, RATE, plan.windows * mine.core.attribution.window_ms / 1_000)
        before = {kind: histogram(port, f"{kind}_staleness") for kind in _KINDS}
        took_ms = pace(one, traffic, RATE, plan.seconds)
        time.sleep(_TOLD_S)
        found = {kind: since(before[kind], histogram(port, f"{kind}_staleness")) for kind in _KINDS}
    counts = ", ".join(f"{sum(found[kind].buckets):,} of {kind}s" for kind in _KINDS)
    say(f"{len(took_ms):,} decisions at {RATE}/s; ages: {counts}")
    return figures_of(found)


def figures_of(found: Mapping[str, Histogram]) -> list[Figure]:
    """Quantiles of the ages over their bounds.

    Args:
        found: the ages of outcomes and of clicks.

    Raises:
        BenchError: of one of them no age was told, which would pass for no age at all.
    """
    for kind in _KINDS:
        if not sum(found[kind].buckets):
            raise BenchError(f"The agent must tell the age of {kind}s; it told none")
    return [
        Figure(
            f"staleness-{kind}-{name}",
            ours := found[kind].quantile(_QUANTILES[name]),
            bound_ms,
            "ms",
            ours / bound_ms,
            goal=Goal(1.0, at_most=True),
        )
        for kind in _KINDS
        for name, bound_ms in _BOUND_MS.items()
    ]
