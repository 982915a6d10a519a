"""What the event loop loses or gains against the in-process player, on the same worlds, seeds and clicks: `bench loop`.

Three players meet the same rounds: the default policy in process, as in the report of the benchmark; the loop as
`streambandit demo` runs it, with a runner in a process of its own that decides while RLlib's learner learns; and the
loop by the deterministic schedule, in one thread. Only the draws of exploration differ, so a difference on one seed has
their noise in it. How the loop is paced says `deploy.bench.loop_world`.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from agent.deterministic import DeterministicLoop
from agent.policy import Policy
from agent.user_snapshots import UserStores
from deploy.bench.compare import mean_of
from deploy.bench.errors import BenchError
from deploy.bench.harness import Played, play
from deploy.bench.loop_world import LoopWorld, window_ms
from deploy.bench.ours import DefaultPolicy
from deploy.bench.rounds import World
from deploy.bench.world_reading import Vectors
from deploy.bench.worlds import TEXT_WORLDS, Library, build
from deploy.clocks import stopped_clock_ms, timer_s
from deploy.compose import settle
from deploy.settings import Settings
from envs.core import Core
from envs.features import Featurizer
from envs.session import Session, Share
from envs.tally import WorldTally
from stream.memory import MemoryLog
from stream.meter import Tally

ROUNDS = 6_000
_PAUSE_S = 0.002

MakeWorld = Callable[[], World]
"""Makes a fresh world, the same each time; picklable, because the live loop's runner calls it in its own process."""


class Lifts(NamedTuple):
    """Normalised lift of one seed, by loop, and of the in-process player."""

    world: str
    seed: int
    loops: dict[str, float]
    in_process: float


@dataclass(frozen=True)
class LoopSession:
    """Opens a memory log with a benchmark world in the runner's process.

    Attributes:
        settings: all of them.
        make: the world.
        rounds: how many it shows.
        told: file with the number of rows that the deciding weights have learned; None where `learned` says it.
        learned: says it in this process.
    """

    settings: Settings
    make: MakeWorld
    rounds: int
    told: Path | None = None
    learned: Callable[[], int] = int

    def __call__(self, share: Share) -> Session:
        """The session of the only runner."""
        log = MemoryLog()
        learned, pause = self.learned, _no_pause
        if self.told is not None:
            row_1 = np.memmap(self.told, dtype=np.int64, mode="r", shape=(1,))
            learned, pause = (lambda: int(row_1[0])), partial(time.sleep, _PAUSE_S)
        world = LoopWorld(self.make(), log, self.rounds, learned, pause)
        core = Core(self.settings.core, share.parts(log, stopped_clock_ms, world.supply))

        def report() -> dict[str, Any]:
            return {"tally": world.tally.to_dict()} if core.ended and not core.open_decisions else {}

        return Session(core=core, close=log.close, timer=timer_s, world=report)


def play_live(make: MakeWorld, seed: int, rounds: int = ROUNDS) -> Played:
    """Plays a world through the loop on Ray, which must run.

    Args:
        make: the world; without texts.
        seed: of the draws.
        rounds: how many are played.

    Raises:
        AgentError: the runner could not go on.
    """
    from deploy.drive import Run  # noqa: PLC0415 - Ray loads where it is used
    from deploy.drive import build as build_algorithm  # noqa: PLC0415

    settings, started_s = _settings(make(), seed), timer_s()
    with TemporaryDirectory() as folder:
        told = Path(folder) / "rows"
        row_1 = np.memmap(told, dtype=np.int64, mode="w+", shape=(1,))
        algorithm = build_algorithm(settings, LoopSession(settings, make, rounds, told))
        run = Run(algorithm)
        try:
            while not run.ended:
                run.step()
                if algorithm.runners.version == algorithm.version:
                    row_1[0] = int(algorithm.learning.policy.rows)
        finally:
            algorithm.stop()
    (report,) = algorithm.runners.worlds.values()
    return _played(WorldTally.from_dict(report["tally"]), rounds, timer_s() - started_s)


def play_deterministic(make: MakeWorld, seed: int, rounds: int = ROUNDS) -> Played:
    """Plays a world through the loop in this thread.

    Args:
        make: the world; without texts.
        seed: of the draws.
        rounds: how many are played.
    """
    settings, started_s = _settings(make(), seed), timer_s()
    agent, layout = settle(settings.agent, encoder_dim=0)
    policy = Policy(agent, layout)
    share = Share(
        index=0,
        count=1,
        featurizer=Featurizer(agent.features, None),
        users=UserStores(agent.interests),
        meter=Tally(),
    )
    session = LoopSession(settings, make, rounds, learned=lambda: int(policy.rows))(share)
    DeterministicLoop(session, policy, seed).run()
    tally = WorldTally.from_dict(session.world()["tally"])
    session.close()
    return _played(tally, rounds, timer_s() - started_s)


LOOPS: dict[str, Callable[[MakeWorld, int, int], Played]] = {"live": play_live, "deterministic": play_deterministic}


def compare(
    world: str, seeds: Sequence[int], loops: Sequence[str], rounds: int, say: Callable[[str], None]
) -> list[Lifts]:
    """The lifts of some seeds.

    Args:
        world: name of a world without texts.
        seeds: of world and players.
        loops: names of loops.
        rounds: how many are played.
        say: is told of each seed.

    Raises:
        BenchError: there is no such world or loop, or the world has texts.
    """
    for name in loops:
        if name not in LOOPS:
            msg = f"A loop must be one of {', '.join(LOOPS)}; got {name!r}"
            raise BenchError(msg)
    found = []
    for seed in seeds:
        make = partial(_world, world, seed)
        in_process = play((fresh := make()), DefaultPolicy(fresh, seed), rounds).lift()
        found.append(Lifts(world, seed, {name: LOOPS[name](make, seed, rounds).lift() for name in loops}, in_process))
        lifts = ", ".join(f"{name} {lift:.3f}" for name, lift in found[-1].loops.items())
        say(f"{world} {seed}: in process {in_process:.3f}, {lifts}")
    return found


def table(found: Sequence[Lifts]) -> str:
    """The lifts in Markdown, with the mean difference of each loop to the in-process player."""
    loops = tuple(found[0].loops)
    head = ("seed", "in process", *(cell for name in loops for cell in (name, "difference")))
    lines = [f"## {found[0].world}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for each in found:
        cells = [f"{lift:.3f} | {lift - each.in_process:+.3f}" for lift in each.loops.values()]
        lines.append(f"| {each.seed} | {each.in_process:.3f} | {' | '.join(cells)} |")
    for name in loops:
        difference = mean_of([each.loops[name] - each.in_process for each in found])
        lines += ["", f"Difference of the {name} loop: {difference}"]
    return "\n".join(lines) + "\n"


def json_lines(found: Sequence[Lifts]) -> list[str]:
    """A line for each loop; `ours` is the loop, `theirs` the in-process player, the spread that of the difference."""
    return [_line(found, name) for name in found[0].loops]


def _line(found: Sequence[Lifts], name: str) -> str:
    ours, theirs = mean_of([each.loops[name] for each in found]), mean_of([each.in_process for each in found])
    difference = mean_of([each.loops[name] - each.in_process for each in found])
    return json.dumps(
        {
            "name": f"loop-{found[0].world}-{name}",
            "ratio": round(ours.mean / theirs.mean, 4),
            "ours": round(ours.mean, 4),
            "theirs": round(theirs.mean, 4),
            "unit": "normalised lift",
            "spread": None if difference.half is None else round(difference.half, 4),
        }
    )


def _world(name: str, seed: int) -> World:
    if name in TEXT_WORLDS:
        msg = f"The loop plays worlds without texts; got {name!r}"
        raise BenchError(msg)
    return build(name, seed, Library(Path(), Vectors()))


def _settings(world: World, seed: int) -> Settings:
    """The defaults, with the world's features and window, and events that come in their order."""
    seen = world.rounds(0, 1).seen
    context, candidate = seen.context_BC.shape[1], seen.candidate_BKD.shape[2]
    features = {"text": "off", "context_dim": context, "candidate_dim": candidate}
    attribution = {"window_ms": window_ms(world), "out_of_order_ms": 0}
    return Settings(seed=seed, agent={"features": features}, core={"attribution": attribution})


def _played(tally: WorldTally, rounds: int, seconds: float) -> Played:
    if tally.decided != rounds:
        msg = f"The loop must decide every round; got {tally.decided:,} of {rounds:,}"
        raise BenchError(msg)
    chosen_N, uniform_N, oracle_N = (tally.values(name).astype(np.float64) for name in ("shown", "uniform", "oracle"))
    return Played(chosen_N, uniform_N, oracle_N, seconds, world_seconds=0.0)


def _no_pause() -> None:
    """In one thread nothing can be waited for."""
