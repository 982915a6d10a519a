"""How old feedback is when it first decides, live schedule, over Kafka at 500 impressions a second.

The agent itself measures it and tells it in its summary and its metrics: from the close of an outcome, and from the
joining of a click, to the swap to weights that hold it, after which the next micro-batch is decided by them. The other
side is the bound that was set.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.bench.speed.figure import Figure, Goal
from deploy.bench.speed.pacing import pace
from deploy.bench.speed.sides import Agent, agent, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import settings_for
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.settings import Settings

RATE = 500
_BOUND_MS = {"p50": 1_000.0, "p99": 3_000.0}
_FIRST_RATE, _FIRST_S = 10, 8.0  # while texts are read for the first time


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Quantiles of the age over their bounds."""
    with TemporaryDirectory() as folder, start_broker() as broker:
        return _measure(settings_for(broker.bootstrap), Path(folder), 10.0 if quick else 60.0, say)


def _measure(settings: Settings, folder: Path, seconds: float, say: Callable[[str], None]) -> list[Figure]:
    with wire(settings, "agent", transactional=False) as (mine, one), agent(mine, folder / "agent") as running:
        traffic = Traffic(TrafficSettings(), wall_clock_ms())
        pace(one, traffic, _FIRST_RATE, _FIRST_S)
        took_ms = pace(one, traffic, RATE, seconds)
        say(f"{len(took_ms):,} decisions at {RATE}/s")
        return _figures(running)


def _figures(running: Agent) -> list[Figure]:
    summary = running.stop()
    return [
        Figure(
            f"staleness-{kind}-{quantile}",
            ours := float(summary[f"{kind}_staleness_{quantile}_ms"]),
            bound_ms,
            "ms",
            ours / bound_ms,
            goal=Goal(1.0, at_most=True),
        )
        for kind in ("outcome", "click")
        for quantile, bound_ms in _BOUND_MS.items()
    ]
