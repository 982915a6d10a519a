"""Throughput over Kafka: the whole agent beside an echo with the same client, batches and guarantee.

Both sides are up all the time, on topics of their own, and take turns: of one side a burst of impressions and clicks
becomes visible at once (they are written in one transaction), and is worked off while the other has nothing to do. The
rate is that of impressions from the first record published to the last, recommendation or outcome, by the times at
which they were written. As many outcomes close in a burst as there are impressions in it, most of them its own. What
counts for the agent is everything: its learner, its driver and its encoder share the cores with the runner that is
measured, as they do for users.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.bench.speed.sides import Wire, agent, echoes, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.broker.broker import start_broker
from deploy.clocks import wall_clock_ms
from deploy.settings import Settings
from stream.log import Record

WINDOW_MS, IDLE_MS = 5_000, 3_600_000
_PART = 2_000  # impressions of a burst before anything is measured; within a window
_WITHIN_S = 240.0
_WARM, _WARM_QUICK = 17_500, 5_000
_PAYLOADS = 1_000


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """The rate of the agent over that of the echo."""
    sizes = Sizes(warm_of(quick=quick), 3_000, 1) if quick else Sizes(warm_of(quick=quick), 15_000, 5)
    with TemporaryDirectory() as folder, start_broker() as broker:
        return [_measure(settings_for(broker.bootstrap, window_ms=sizes.window_ms), Path(folder), sizes, say)]


class Sizes(NamedTuple):
    """How much is measured: impressions before, impressions of a burst, and bursts of each side."""

    warm: int
    burst: int
    repeats: int

    @property
    def window_ms(self) -> int:
        """Longer than the event time of a burst: all of it is there at once, and none may be late by the rest."""
        return self.burst * TrafficSettings().gap_ms + 2_000


def warm_of(*, quick: bool) -> int:
    """Impressions before anything is measured: texts are known then, the last refresh of projections is over."""
    return _WARM_QUICK if quick else _WARM


def settings_for(bootstrap: str, guarantee: str = "exactly_once", window_ms: int = WINDOW_MS) -> Settings:
    """Settings of both sides: text only, windows in event time, and nothing that idles."""
    attribution = {"window_ms": window_ms, "idle_ms": IDLE_MS, "out_of_order_ms": 1_000}
    return Settings(
        kafka={"bootstrap_servers": bootstrap, "guarantee": guarantee},
        core={"attribution": attribution},
        metrics={"enabled": False},
    )


def payloads_of(records: Sequence[Record]) -> list[tuple[bytes, bytes]]:
    """Recommendations and outcomes that an agent published, side by side."""
    sides: dict[str, list[bytes]] = {"recommendations": [], "outcomes": []}
    for record in records:
        sides[record.topic].append(record.value)
    return list(zip(sides["recommendations"], sides["outcomes"], strict=False))[-_PAYLOADS:]


def rate_of(records: Sequence[Record]) -> float:
    """Recommendations a second from the first record to the last, by the times at which they were written."""
    times_ms = [record.timestamp_ms for record in records]
    decided = sum(record.topic == "recommendations" for record in records)
    return 1_000.0 * decided / max(max(times_ms) - min(times_ms), 1)


def work_off(one: Wire, traffic: Traffic, size: int) -> list[Record]:
    """Lets one side work off a burst; returns what it published."""
    one.tail.take()
    one.feed.preload(traffic.burst(size))
    found = one.tail.until(lambda found: sum(r.topic == "recommendations" for r in found) >= size, _WITHIN_S)
    return found + one.tail.until_quiet()


def warm_up(one: Wire, traffic: Traffic, size: int) -> list[Record]:
    """Lets one side work off bursts that each fit into a window; returns what it published."""
    found: list[Record] = []
    for start in range(0, size, _PART):
        found += work_off(one, traffic, min(_PART, size - start))
    return found


def _measure(settings: Settings, folder: Path, sizes: Sizes, say: Callable[[str], None]) -> Figure:
    ours, theirs = (Traffic(TrafficSettings(), wall_clock_ms()) for _ in range(2))
    with (
        wire(settings, "agent", transactional=True) as (mine, one),
        wire(settings, "echo", transactional=True) as (other, two),
        agent(mine, folder / "agent"),
    ):
        warm = warm_up(one, ours, sizes.warm)
        say(f"The agent met its texts: {rate_of(warm):,.0f} decisions/s")
        with echoes(other, payloads_of(warm)):
            work_off(two, theirs, sizes.burst)
            rates = paired(
                lambda: _told(say, "agent", rate_of(work_off(one, ours, sizes.burst))),
                lambda: _told(say, "echo", rate_of(work_off(two, theirs, sizes.burst))),
                sizes.repeats,
            )
    return figure("transport-throughput", *rates, "impressions/s", Goal(0.5))


def _told(say: Callable[[str], None], side: str, rate: float) -> float:
    say(f"{side}: {rate:,.0f} impressions/s")
    return rate
