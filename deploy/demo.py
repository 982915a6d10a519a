"""`streambandit demo`: the whole loop on a simulated world, watched live, compared with controls, and reported."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.deciding import Ending
from agent.encoder.local import exact_encoder
from deploy.arms import CONTROLS, run_control
from deploy.broker.broker import start_broker
from deploy.clocks import timer_s, wall_clock_ms
from deploy.cluster import cluster
from deploy.compose import KafkaSession, MemorySession, WorldName, numeric_dim, rates, scene_of
from deploy.drive import Run, build, summary_of_run
from deploy.endpoint import serving
from deploy.errors import SimulationError
from deploy.live import LiveView
from deploy.record import Arm, RunRecord, new_run_folder
from deploy.report import headline, write_report
from deploy.settings import Settings
from deploy.settings_example import example_toml
from deploy.starting import begin_apart, with_start
from envs.tally import WorldTally
from stream.kafka.topics import create_topics

_DECISIONS = 20_000
_IDLE_S = 5.0
_IN_FLIGHT = 128
_SIMULATOR_EXIT_S = 60.0
_TITLES = {"readers": "simulated readers", "upworthy": "real headline tests (Upworthy)"}


@dataclass(frozen=True)
class DemoOptions:
    """What a demonstration shows.

    Attributes:
        world: simulated readers, or replayed headline tests.
        log: in memory, or over a real broker that is started for it.
        decisions: impressions of the world; 20,000 where None.
    """

    world: WorldName = "readers"
    log: Literal["memory", "kafka"] = "memory"
    decisions: int | None = None


def run_demo(settings: Settings, options: DemoOptions) -> Path:
    """Runs it, writes the report and says where; returns its folder."""
    started_s = timer_s()
    impressions = options.decisions or _DECISIONS
    settings = with_start(settings)
    settings = settings.model_copy(update={"world": settings.world.model_copy(update={"impressions": impressions})})
    folder = new_run_folder(settings.run_dir, wall_clock_ms)
    numeric = numeric_dim(settings, options.world)
    scene_of(settings, options.world, settings.seed)  # a world that cannot be built says so before anything starts
    title = f"{_TITLES[options.world]}, log in {options.log}"
    with ExitStack() as stack:
        view = stack.enter_context(LiveView(f"streambandit: {title}", impressions))
        metrics, address = stack.enter_context(serving(settings.metrics, any_port=True))
        view.say(f"Metrics: {address}")
        stack.enter_context(cluster(quiet=True))
        open_run = _over_kafka if options.log == "kafka" else _in_memory
        run, world = stack.enter_context(open_run(settings, options, folder, numeric))
        run.metrics = metrics
        try:
            begin_apart(run.algorithm, settings.checkpoint.start)
            while not run.ended:
                view.update(run.step())
            run.finish()
            tally = world()
            summary = summary_of_run(run)
            view.say("Now the same impressions for the policies that it is compared with.")
            learned = Arm("learned", "learned", tally.values("shown"), "this run")
            arms = [learned, *_controls(settings, options, run, numeric)]
        finally:
            run.algorithm.stop()
    summary["total_seconds"] = round(timer_s() - started_s, 1)
    record = RunRecord(
        title=f"{title}, seed {settings.seed}",
        summary=summary,
        settings=settings.redacted(),
        progress=run.progress,
        arms=arms,
        uniform=tally.values("uniform"),
        oracle=tally.values("oracle"),
    )
    page = write_report(record, folder)
    view.say(headline(json.loads((folder / "summary.json").read_text())))
    view.say(f"The loop ran {summary['run_seconds']:.0f} s, everything {summary['total_seconds']:.0f} s.")
    view.say(f"Report: {page}")
    return folder


@contextmanager
def _in_memory(settings: Settings, options: DemoOptions, folder: Path, numeric: int) -> Iterator[Any]:  # noqa: ARG001
    algorithm = build(settings, MemorySession(settings, options.world), numeric=numeric)

    def world() -> WorldTally:
        tally = WorldTally()
        for told in algorithm.runners.worlds.values():
            tally.merge(WorldTally.from_dict(told["tally"]))
        return tally

    yield Run(algorithm), world


@contextmanager
def _over_kafka(settings: Settings, options: DemoOptions, folder: Path, numeric: int) -> Iterator[Any]:
    stats = folder / "world.json"
    with start_broker() as broker:
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": broker.bootstrap})
        nothing_kept = settings.checkpoint.model_copy(update={"enabled": False})  # the log ends with the demo
        settings = settings.model_copy(update={"kafka": kafka, "checkpoint": nothing_kept})
        create_topics(kafka)
        ending = Ending(idle_s=_IDLE_S, close_open=True)
        algorithm = build(settings, KafkaSession(settings), numeric=numeric, ending=ending)
        simulator = _start_simulator(settings, options, folder, stats)
        try:
            told = Told(stats)
            run = Run(algorithm, rates=lambda: rates(told()))
            yield run, lambda: _final(simulator, told, folder)
        finally:
            if simulator.poll() is None:
                simulator.terminate()
            simulator.wait(_SIMULATOR_EXIT_S)


def _start_simulator(settings: Settings, options: DemoOptions, folder: Path, stats: Path) -> subprocess.Popen[bytes]:
    config = folder / "simulator.toml"
    config.write_text(example_toml(settings))
    command = [sys.executable, "-m", "deploy.cli", "simulate", "--config", str(config), "--world", options.world]
    command += ["--stats", str(stats), "--in-flight", str(_IN_FLIGHT)]
    with (folder / "simulator.log").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603


class Told:
    """What the simulator has told so far; its file is read again only where it was rewritten."""

    def __init__(self, stats: Path) -> None:
        self._stats = stats
        self._written_ns = 0
        self._tally = WorldTally()

    def __call__(self) -> WorldTally:
        """The newest tally; an empty one before the first."""
        written_ns = self._stats.stat().st_mtime_ns if self._stats.exists() else 0
        if written_ns != self._written_ns:
            self._written_ns = written_ns
            self._tally = WorldTally.from_dict(json.loads(self._stats.read_text()))
        return self._tally


def _final(simulator: subprocess.Popen[bytes], told: Told, folder: Path) -> WorldTally:
    """What the simulator knows in the end."""
    if simulator.wait(_SIMULATOR_EXIT_S) != 0:
        tail = (folder / "simulator.log").read_text()[-2_000:]
        raise SimulationError(f"simulator must end with 0; got {simulator.returncode}: {tail}")
    return told()


def _controls(settings: Settings, options: DemoOptions, run: Run, numeric: int) -> list[Arm]:
    encoder = exact_encoder(settings.agent.encoder) if run.algorithm.encoder_actors else None
    return [run_control(settings, options.world, control, encoder, numeric) for control in CONTROLS]
