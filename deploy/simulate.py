"""`streambandit simulate`: readers who drive a real Kafka as a load generator, or fill a recorded log.

On Kafka the run is bounded by what is in flight, so that a slow agent slows the readers down. The last impression has
about the time of the clock: where readers are simulated faster than they would come, the first ones lie in the past.
"""

import json
import math
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.clocks import timer_s, wall_clock_ms
from deploy.compose import WorldName, scene_of
from deploy.errors import SimulationError
from deploy.live import LiveView
from deploy.record import Progress
from deploy.settings import Settings
from deploy.uniform import UniformLog
from envs.tally import WorldTally
from envs.world import World, WorldSettings
from stream.errors import AccessError
from stream.log import WorldLog
from stream.memory import MemoryLog
from stream.record_file import RecordingWorldLog

_STEP = 100
_PAUSE_S = 0.005
_REPORT_S = 1.0


@dataclass(frozen=True)
class SimulateOptions:
    """What a simulation does besides its settings.

    Attributes:
        world: which world.
        impressions: how many; the setting `world.impressions` where None.
        rate_per_s: impressions per second of the clock, at most; as fast as the agent decides where None.
        in_flight: impressions that wait for their recommendation, at most.
        patience_s: give up when nothing was recommended for so long.
        stats: JSON file of what the world knows, rewritten every second.
        out: write a recorded log there, decided by a uniform choice, and leave Kafka alone.
        logged: impressions of the recorded log carry that choice, to be learned from and not decided.
    """

    world: WorldName = "readers"
    impressions: int | None = None
    rate_per_s: float | None = None
    in_flight: int = 1_000
    patience_s: float = 120.0
    stats: Path | None = None
    out: Path | None = None
    logged: bool = False


def simulate(settings: Settings, options: SimulateOptions) -> WorldTally:
    """Runs the world to its end and returns what it knows.

    Raises:
        SimulationError: nothing was recommended for too long, or a file cannot be written.
        StreamError: the cluster did not answer, or topics are missing.
    """
    if options.out is not None:
        return _record(settings, options, options.out)
    from stream.kafka.world import KafkaWorldLog  # noqa: PLC0415 - only where Kafka is used

    with closing(KafkaWorldLog(settings.kafka)) as log:
        newest_ms = 0
        with suppress(AccessError):  # who may only write begins where it would on empty topics
            newest_ms = log.newest_ms()
        world_settings = timed(settings.world, options, wall_clock_ms(), newest_ms)
        world = World(scene_of(settings, options.world, settings.seed), log, world_settings, settings.seed)
        title = f"simulated {options.world} on {settings.kafka.bootstrap_servers}"
        try:
            with LiveView(title, world_settings.impressions) as view:
                Simulation(world, log, options, view).run()
        finally:
            _write_stats(options, world)
    return world.tally


def timed(world: WorldSettings, options: SimulateOptions, now_ms: int, newest_ms: int = 0) -> WorldSettings:
    """The world's settings with event times that end at about `now_ms` plus the run's duration, and a name of its own.

    Event time passes at `world.rate_per_s`, the clock at `options.rate_per_s`; the start lies back by the difference,
    so that no event is ahead of the clock. Impressions before `newest_ms`, which is on the topics already, may be late:
    a start before it moves behind it, and impressions come closer together, to end when they would have.

    Raises:
        SimulationError: there is no room left behind `newest_ms`.

    >>> timed(WorldSettings(impressions=1_000, rate_per_s=10), SimulateOptions(rate_per_s=10), 1_000_000).start_ms
    1000000
    >>> timed(WorldSettings(impressions=1_000, rate_per_s=10), SimulateOptions(rate_per_s=20), 1_000_000).start_ms
    920000
    """
    impressions = options.impressions or world.impressions
    clock_s = impressions / options.rate_per_s if options.rate_per_s else 0.0
    ahead_ms = max(0.0, 1_000 * (impressions / world.rate_per_s - clock_s))
    if ahead_ms:
        ahead_ms += world.late_after_ms  # clicks follow the last impression
    start_ms = max(1, now_ms - int(ahead_ms))
    chosen = {"start_ms": start_ms, "name": f"w{now_ms:x}-"}
    defaults = {name: WorldSettings.model_fields[name].default for name in chosen}
    kept = {name: value for name, value in chosen.items() if getattr(world, name) == defaults[name]}
    if "start_ms" in kept and newest_ms >= start_ms:
        end_ms = start_ms + 1_000 * impressions / world.rate_per_s
        if end_ms <= newest_ms:
            raise SimulationError(
                f"simulated impressions must come after those that are on the topics, or they are late; these reach "
                f"{math.ceil((newest_ms - end_ms) / 1_000)} s further. Try again then"
            )
        kept |= {"start_ms": newest_ms + 1, "rate_per_s": 1_000 * impressions / (end_ms - newest_ms)}
    return world.model_copy(update={"impressions": impressions, **kept})


class Simulation:
    """One world against one log, paced by the clock and by what is in flight.

    Args:
        world: to run to its end.
        log: that it writes to.
        options: rate, bounds and where to write what it knows.
        view: shows how it goes.
    """

    def __init__(self, world: World, log: WorldLog, options: SimulateOptions, view: LiveView) -> None:
        self._world, self._log, self._options, self._view = world, log, options, view
        self._started_s = self._moved_s = self._reported_s = timer_s()
        self._seen = 0
        self._reported = 0

    def run(self) -> None:
        """Emits all impressions, waits until they are decided, then emits the clicks that are left."""
        while not self._world.ended:
            self._step(min(_STEP, self._options.in_flight - self._world.undecided, self._due()))
        self._log.flush()
        while self._world.undecided:
            self._step(0)
        self._world.finish()
        self._report()

    def _due(self) -> int:
        rate = self._options.rate_per_s
        if rate is None:
            return _STEP
        return int(rate * (timer_s() - self._started_s)) + 1 - self._world.tally.impressions

    def _step(self, impressions: int) -> None:
        emitted = self._world.advance(max(0, impressions))
        tally, now_s = self._world.tally, timer_s()
        seen = tally.decided + tally.unmatched
        if seen > self._seen or not self._world.undecided:
            self._seen, self._moved_s = seen, now_s
        elif now_s - self._moved_s > self._options.patience_s:
            raise SimulationError(
                f"recommendations must come within {self._options.patience_s:g} s; "
                f"{self._world.undecided} impressions wait. Is `streambandit run` up on the same topics?"
            )
        if now_s - self._reported_s >= _REPORT_S:
            self._report()
        if not emitted:
            time.sleep(_PAUSE_S)

    def _report(self) -> None:
        tally, now_s = self._world.tally, timer_s()
        span_s = max(now_s - self._reported_s, 1e-3)
        self._view.update(
            Progress(
                t_s=now_s - self._started_s,
                decisions=tally.decided,
                click_rate=tally.click_rate_last_quarter,
                click_rate_uniform=tally.click_rate_uniform_last_quarter,
                click_rate_oracle=tally.click_rate_oracle_last_quarter,
                decisions_per_s=(tally.decided - self._reported) / span_s,
            )
        )
        self._reported_s, self._reported = now_s, tally.decided
        _write_stats(self._options, self._world)


def _record(settings: Settings, options: SimulateOptions, path: Path) -> WorldTally:
    """A recorded log: the events are kept in the file only, so the log behind drops them."""
    world_settings = settings.world
    if options.impressions:
        world_settings = world_settings.model_copy(update={"impressions": options.impressions})
    try:
        recording = RecordingWorldLog(MemoryLog(capacity=1, policy="drop"), path)
    except OSError as error:
        raise SimulationError(f"--out must be a file that can be written; got {path} ({error.strerror})") from error
    with recording:
        log = UniformLog(recording, settings.seed, logged=options.logged)
        world = World(scene_of(settings, options.world, settings.seed), log, world_settings, settings.seed)
        while world.advance(1):  # each sees what was decided before it, so clicks come in their time
            pass
        world.finish()
    _write_stats(options, world)
    return world.tally


def _write_stats(options: SimulateOptions, world: World) -> None:
    """Readers of the file see the old text or the new one, never a part."""
    if options.stats is None:
        return
    content = world.tally.to_dict() | {"ended": world.ended and not world.undecided}
    part = options.stats.with_name(options.stats.name + ".part")
    try:
        part.write_text(json.dumps(content))
        part.replace(options.stats)
    except OSError as error:
        raise SimulationError(
            f"--stats must be a file that can be written; got {options.stats} ({error.strerror})"
        ) from error
