"""What a second runner gains over Kafka, beside what a second echo process gains on the same cores.

Four groups on one broker are up and take turns: an agent with one runner, one with two, one echo, two echoes. Bursts
become visible at once; the rate is that of `transport`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.bench.speed.figure import Figure, Goal, figure
from deploy.bench.speed.sides import Wire, agent, echoes, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.bench.speed.transport import Sizes, payloads_of, rate_of, settings_for, warm_of, warm_up, work_off
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.settings import RunnerSettings, Settings


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """The gain of a second runner over that of a second echo."""
    sizes = Sizes(warm_of(quick=quick), 3_000, 1) if quick else Sizes(warm_of(quick=quick), 15_000, 5)
    with TemporaryDirectory() as folder, start_broker() as broker:
        return [_measure(settings_for(broker.bootstrap, window_ms=sizes.window_ms), Path(folder), sizes, say)]


def _measure(settings: Settings, folder: Path, sizes: Sizes, say: Callable[[str], None]) -> Figure:
    gains: dict[str, list[float]] = {"agent": [], "echo": []}
    with ExitStack() as stack:
        sides: dict[str, Wire] = {}
        traffic: dict[str, Traffic] = {}
        for count in (1, 2):
            for kind in gains:
                name = f"{kind}-{count}"
                mine, sides[name] = stack.enter_context(wire(settings, name, transactional=True))
                traffic[name] = Traffic(TrafficSettings(), wall_clock_ms())
                if kind == "agent":
                    runners = RunnerSettings(runners=count)
                    stack.enter_context(agent(mine.model_copy(update={"runner": runners}), folder / name))
                    payloads = payloads_of(warm_up(sides[name], traffic[name], sizes.warm))
                else:
                    stack.enter_context(echoes(mine, payloads, count))
                    work_off(sides[name], traffic[name], sizes.burst)
        for _ in range(sizes.repeats):
            rates = {name: rate_of(work_off(sides[name], traffic[name], sizes.burst)) for name in sides}
            say(", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()))
            for kind, gain in gains.items():
                gain.append(rates[f"{kind}-2"] / rates[f"{kind}-1"])
    return figure("second-runner-gain", gains["agent"], gains["echo"], "times one", Goal(0.8))
