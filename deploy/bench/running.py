"""Plays many runs in processes of one thread each, and stores each result as soon as it is there."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.bench.errors import BenchError
from deploy.bench.harness import play
from deploy.bench.players import Entry, known_players
from deploy.bench.results import Result, Store, Task, result_of
from deploy.bench.world_reading import Vectors
from deploy.bench.worlds import BenchWorld, Library, build


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs find and leave things.

    Attributes:
        data: Folder of public data.
        out: Folder of the benchmark.
        code: Version of the code that results are marked with.
    """

    data: Path
    out: Path
    code: str = ""

    @property
    def store(self) -> Store:
        """Where results are kept."""
        return Store(self.out / "results", self.code)


def run_task(task: Task, place: Place) -> Result | None:
    """Plays one run; None where the player cannot play the world."""
    return run_entry(known_players()[task.player], task, place)


def run_entry(entry: Entry, task: Task, place: Place) -> Result | None:
    """Plays one run of a player that need not be among the known ones."""
    world = open_world(task, place)
    player = entry.make(world, task.seed)
    if player is None:
        return None
    played = play(world, player, task.rounds)
    return result_of(task, played, settings=entry.settings, code=place.code, texts_met=world.texts_met)


def open_world(task: Task, place: Place) -> BenchWorld:
    """A fresh world of a run."""
    return build(task.world, task.seed, Library(place.data, _vectors(place.out / "vectors"), task.cold))


def run_all(
    tasks: Sequence[Task],
    place: Place,
    *,
    jobs: int,
    fresh: bool,
    say: Callable[[str], None],
    run: Callable[[Task, Place], Result | None] = run_task,
) -> list[Result]:
    """The results of all tasks that can be played, those of earlier runs among them.

    Args:
        tasks: the runs.
        place: where things are.
        run: plays one of them; None where it cannot be played.
        jobs: processes.
        fresh: whether all are played anew.
        say: is told of each run.

    Raises:
        BenchError: some runs failed; the results of the others are stored.
    """
    stored = {} if fresh else {task: found for task in tasks if (found := place.store.get(task)) is not None}
    missing = [task for task in tasks if task not in stored]
    say(f"{len(tasks)} runs, {len(stored)} of them stored")
    failed: list[str] = []
    for number, (task, future) in enumerate(_played(missing, place, jobs, run), start=1):
        where = f"[{number}/{len(missing)}] {task.world} {task.seed} {task.player}{' cold' if task.cold else ''}"
        error = future.exception()
        if error is not None:
            failed.append(f"{where}: {error!r}")
            say(failed[-1])
            continue
        result = future.result()
        if result is None:
            say(f"{where}: does not play this world")
            continue
        place.store.put(result)
        stored[task] = result
        say(f"{where}: lift {result.lift:.3f} in {result.seconds:.1f} s")
    if failed:
        msg = f"All runs must succeed; got {len(failed)} of {len(missing)} that failed, first {failed[0]}"
        raise BenchError(msg)
    return [stored[task] for task in tasks if task in stored]


def _played(
    tasks: Sequence[Task], place: Place, jobs: int, run: Callable[[Task, Place], Result | None]
) -> Iterator[tuple[Task, "Future[Result | None]"]]:
    """Each task as it ends; what waits is dropped when the caller stops."""
    if not tasks:
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=spawn)
    try:
        task_of = {pool.submit(run, task, place): task for task in tasks}
        for future in as_completed(task_of):
            yield task_of[future], future
    finally:
        pool.shutdown(cancel_futures=True)


@cache
def _vectors(folder: Path) -> Vectors:
    """One for each process, so that the encoder loads at most once."""
    return Vectors(folder=folder)
