"""How long `streambandit run` takes to its first decision, beside what importing and starting Ray alone takes.

The broker is up, an impression waits, bytecode and files are in the cache. Ours is the time from the start of the
command to a recommendation that somebody else has read. Beside it: `bare_start`, what no start over Ray and RLlib can
do without, one after another. When each step was done is what the run says itself, in its summary.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deploy.bench.errors import BenchError
from deploy.bench.speed import bare_start
from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.bench.speed.process_tree import processor_seconds
from deploy.bench.speed.sides import agent, wire
from deploy.bench.speed.traffic import Traffic, TrafficSettings
from deploy.broker.broker import start_broker
from deploy.bytecode import compiled
from deploy.clocks import timer_s, wall_clock_ms
from deploy.settings import Settings

GOAL_S = 15.0
_IMPRESSIONS, _WITHIN_S, _PAUSE_S = 4, 180.0, 0.01
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


@dataclass(frozen=True)
class Start:
    """One start.

    Attributes:
        seconds: to the first recommendation, or to the bare actor's answer.
        done_s: when each step was done, as the run says it; of bare parts empty.
        processor_s: processor time until then, by process.
    """

    seconds: float
    done_s: Mapping[str, float]
    processor_s: Mapping[str, float]


def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Seconds to the first decision, over the bare parts and over the goal; and processor time over the bare parts."""
    starts: list[Start] = []
    bares: list[Start] = []
    with TemporaryDirectory() as folder, start_broker() as broker, _bytecode_written():
        settings = Settings(kafka={"bootstrap_servers": broker.bootstrap}, metrics={"enabled": False})
        if not quick or not compiled():
            say(f"To fill the caches: {start(settings, Path(folder), 'first').seconds:.1f} s")

        def ours() -> float:
            starts.append(start(settings, Path(folder), f"start-{len(starts)}"))
            say(f"streambandit run: {starts[-1].seconds:.1f} s")
            return starts[-1].seconds

        def theirs() -> float:
            bares.append(bare())
            say(f"the bare parts: {bares[-1].seconds:.1f} s")
            return bares[-1].seconds

        ours_P, theirs_P = paired(ours, theirs, 1 if quick else 5)
    for line in (*steps_of(starts), *processors_of(starts)):
        say(line)
    spent_P, bare_P = ([sum(each.processor_s.values()) for each in side] for side in (starts, bares))
    goal_P = [GOAL_S] * len(ours_P)
    return [
        figure("start-over-bare-parts", ours_P, theirs_P, "s"),
        figure("start-processor-time", spent_P, bare_P, "s"),
        figure("start-over-goal", ours_P, goal_P, "s", Goal(1.0, at_most=True)),
    ]


def start(settings: Settings, folder: Path, name: str) -> Start:
    """Starts the command over topics of its own in which impressions wait, and ends it after the first decision.

    Raises:
        BenchError: nothing was decided in time.
    """
    traffic = Traffic(TrafficSettings(), wall_clock_ms())
    with wire(settings, name, transactional=False) as (mine, one):
        one.feed.preload(traffic.impression()[0] for _ in range(_IMPRESSIONS))
        began_s = timer_s()
        with agent(mine, folder / name) as running:
            one.tail.until(bool, _WITHIN_S, _PAUSE_S)
            seconds = timer_s() - began_s
            processor_s = processor_seconds(running.pid)
            summary = running.stop()
    return Start(seconds, summary["start"], processor_s)


def bare() -> Start:
    """The bare parts, to the answer of their actor.

    Raises:
        BenchError: it did not come in time.
    """
    began_s = timer_s()
    command = [sys.executable, "-m", bare_start.__name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        said = process.stdout.readline().strip() if process.stdout is not None else ""
        seconds, processor_s = timer_s() - began_s, processor_seconds(process.pid)
        process.wait(_WITHIN_S)
    if said != bare_start.UP:
        raise BenchError(f"The bare parts must come up; got {said!r}, exit code {process.returncode}")
    return Start(seconds, {}, processor_s)


def steps_of(starts: Sequence[Start]) -> Iterator[str]:
    """A line for each step, in the order in which they were done.

    >>> ends = [Start(3.0, {"ray": 1.0, "decided": 2.5}, {}), Start(5.0, {"ray": 2.0, "decided": 4.5}, {})]
    >>> list(steps_of(ends))
    ['done after   1.5 s: ray', 'done after   3.5 s: decided']
    """
    medians = {step: float(np.median([each.done_s[step] for each in starts])) for step in starts[0].done_s}
    for step, done_s in sorted(medians.items(), key=lambda each: each[1]):
        yield f"done after {done_s:5.1f} s: {step}"


def processors_of(starts: Sequence[Start]) -> Iterator[str]:
    """A line for each process, and one for all."""
    names = dict.fromkeys(name for each in starts for name in each.processor_s)
    medians = {name: float(np.median([each.processor_s.get(name, 0.0) for each in starts])) for name in names}
    for name, seconds in {**medians, "all": sum(medians.values())}.items():
        yield f"processor time {seconds:5.1f} s: {name}"


@contextmanager
def _bytecode_written() -> Iterator[None]:
    """Lets processes that are started inside leave bytecode behind, also where the environment says otherwise."""
    before = os.environ.pop(_NO_BYTECODE, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_NO_BYTECODE] = before
