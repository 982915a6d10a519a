"""Latency over Kafka, from sending an impression to reading its recommendation back: the agent beside an echo.

Both by the low-latency setting, with the learner on, at steady rates; both sides are up and take turns. The agent knows
the texts, but for the figures named cold, where each context has a text that nobody has read before: those are shown
beside an echo of the same records, and have no goal.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.bench.speed.pacing import pace
from deploy.bench.speed.sides import Wire, agent, echoes, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import payloads_of, settings_for, warm_of, warm_up
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.settings import Settings

RATES = (100, 500)
_COLD_RATE = 100
_GOALS = {"p50": Goal(1.5, at_most=True), "p99": Goal(2.0, at_most=True)}
_QUANTILES = {"p50": 0.5, "p99": 0.99}


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Quantiles of the agent's latency over those of the echo."""
    plan = Plan(warm_of(quick=quick), 3.0, 1) if quick else Plan(warm_of(quick=quick), 10.0, 5)
    with TemporaryDirectory() as folder, start_broker() as broker:
        return _measure(settings_for(broker.bootstrap, "low_latency"), Path(folder), plan, say)


class Plan(NamedTuple):
    """How much is measured: impressions before, seconds of a turn, and turns of each side."""

    warm: int
    seconds: float
    repeats: int


def _measure(settings: Settings, folder: Path, plan: Plan, say: Callable[[str], None]) -> list[Figure]:
    found = []
    with (
        wire(settings, "agent", transactional=False) as (mine, one),
        wire(settings, "echo", transactional=False) as (other, two),
        agent(mine, folder / "agent"),
    ):
        warm = warm_up(one, Traffic(TrafficSettings(contexts=1), wall_clock_ms()), plan.warm)
        with echoes(other, payloads_of(warm)):
            warm_up(two, Traffic(TrafficSettings(contexts=1), wall_clock_ms()), plan.warm // 10)
            for rate in RATES:
                turns = _Turns(one, two, rate, plan.seconds, say)
                found += turns.figures(f"latency-{rate}", TrafficSettings(contexts=1), plan.repeats, _GOALS)
            turns = _Turns(one, two, _COLD_RATE, plan.seconds, say)
            found += turns.figures(f"latency-cold-{_COLD_RATE}", TrafficSettings(cold=True), 1, {})
    return found


class _Turns:
    """Turns of both sides at one rate."""

    def __init__(self, one: Wire, two: Wire, rate: int, seconds: float, say: Callable[[str], None]) -> None:
        self._sides, self._rate, self._seconds, self._say = {"agent": one, "echo": two}, rate, seconds, say

    def figures(self, name: str, settings: TrafficSettings, repeats: int, goals: dict[str, Goal]) -> list[Figure]:
        """The figure of each quantile."""
        # Names of impressions must not come twice on one topic, so each figure's traffic has a prefix of its own.
        traffic = {side: Traffic(settings, wall_clock_ms(), name) for side in self._sides}
        ours, theirs = paired(
            lambda: self._turn("agent", traffic["agent"]), lambda: self._turn("echo", traffic["echo"]), repeats
        )
        return [
            figure(
                f"{name}-{quantile}",
                [float(np.quantile(took_ms, q)) for took_ms in ours],
                [float(np.quantile(took_ms, q)) for took_ms in theirs],
                "ms",
                goals.get(quantile),
            )
            for quantile, q in _QUANTILES.items()
        ]

    def _turn(self, side: str, traffic: Traffic) -> "np.typing.NDArray[np.float64]":
        took_ms = pace(self._sides[side], traffic, self._rate, self._seconds)
        p50, p99 = np.quantile(took_ms, [0.5, 0.99])
        self._say(f"{side} at {self._rate}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        return took_ms
