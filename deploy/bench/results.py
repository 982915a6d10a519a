"""What one run gave, kept as a file each, so that a benchmark that was stopped goes on where it was."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from deploy.bench.errors import BenchError
from deploy.bench.harness import Played

PARTS = 20


class Task(NamedTuple):
    """One run: a player in a world. `cold` encodes the world's texts while it is played."""

    world: str
    seed: int
    player: str
    rounds: int
    cold: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run gave.

    Attributes:
        world: Name of the world.
        seed: Of world and player.
        player: Name of the player.
        rounds: How many were played.
        cold: Whether texts were encoded while it was played.
        code: Version of the code, as the command was told; may be empty.
        settings: Of the player.
        lift: Normalised lift over all rounds.
        quarters: The same of each quarter.
        curve: The same of each twentieth.
        chosen: True click rate of what was chosen.
        uniform: That of a uniform choice.
        oracle: That of the best choice.
        seconds: Time that the player took.
        world_seconds: Time that the world took, with the encoding of texts where `cold`.
        texts_met: Share of texts whose vectors were known; None where there are none.
    """

    world: str
    seed: int
    player: str
    rounds: int
    cold: bool
    code: str
    settings: str
    lift: float
    quarters: list[float]
    curve: list[float]
    chosen: float
    uniform: float
    oracle: float
    seconds: float
    world_seconds: float
    texts_met: float | None

    @property
    def task(self) -> Task:
        """The run that gave it."""
        return Task(self.world, self.seed, self.player, self.rounds, self.cold)


def result_of(task: Task, played: Played, *, settings: str, code: str, texts_met: float | None) -> Result:
    """Sums a run up."""
    return Result(
        world=task.world,
        seed=task.seed,
        player=task.player,
        rounds=task.rounds,
        cold=task.cold,
        code=code,
        settings=settings,
        lift=played.lift(),
        quarters=played.lifts(4),
        curve=played.lifts(PARTS),
        chosen=float(played.chosen_N.mean()),
        uniform=float(played.uniform_N.mean()),
        oracle=float(played.oracle_N.mean()),
        seconds=played.seconds,
        world_seconds=played.world_seconds,
        texts_met=texts_met,
    )


class Store:
    """Results in a folder, one JSON file for each run.

    Args:
        folder: where they are kept.
        code: version of the code; results of another version do not count. Where empty, all count.
    """

    def __init__(self, folder: Path, code: str = "") -> None:
        self._folder = folder
        self.code = code

    def get(self, task: Task) -> Result | None:
        """The result of a run; None where it has to be played.

        Raises:
            BenchError: the file is no result.
        """
        path = self._path(task)
        if not path.exists():
            return None
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Result)
        except msgspec.DecodeError as error:
            msg = f"A stored result must be readable (or deleted); got {path}: {error}"
            raise BenchError(msg) from error
        return None if self.code and found.code != self.code else found

    def put(self, result: Result) -> None:
        """Keeps a result; a run that is killed leaves the old file or the new one."""
        path = self._path(result.task)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        part.replace(path)

    def _path(self, task: Task) -> Path:
        cold = "-cold" if task.cold else ""
        return self._folder / task.world / f"{task.player}-{task.seed}-{task.rounds}{cold}.json"
