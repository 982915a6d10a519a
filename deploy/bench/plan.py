"""Which runs a command asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.bench.errors import BenchError
from deploy.bench.harness import ROUNDS
from deploy.bench.players import Entry
from deploy.bench.results import Task
from deploy.bench.worlds import REPORT_SEEDS, TEXT_WORLDS, TUNE_SEEDS, WORLDS

QUICK_WORLDS, QUICK_SEEDS, QUICK_ROUNDS = ("linear", "drift", "text"), TUNE_SEEDS[:2], 6_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command was told; names and numbers are separated by commas.

    Attributes:
        worlds: Names of worlds.
        seeds: Numbers.
        players: Names of players.
        rounds: Of a run.
        quick: Whether what is not given is small: three worlds, two seeds, 6,000 rounds.
        cold: Whether ours also plays the worlds of texts once with an encoder that has met none.
    """

    worlds: str | None = None
    seeds: str | None = None
    players: str | None = None
    rounds: int | None = None
    quick: bool = False
    cold: bool = False


def plan(choice: Choice, entries: Mapping[str, Entry]) -> list[Task]:
    """The runs, world by world, so that a process meets the same texts again.

    Args:
        choice: what was asked for.
        entries: the players there are, ours first.

    Raises:
        BenchError: a world or player does not exist, or a seed is no number.
    """
    worlds = _names("world", choice.worlds, WORLDS) or (QUICK_WORLDS if choice.quick else WORLDS)
    players = _names("player", choice.players, tuple(entries)) or tuple(entries)
    seeds = _numbers(choice.seeds) or (QUICK_SEEDS if choice.quick else REPORT_SEEDS)
    rounds = choice.rounds or (QUICK_ROUNDS if choice.quick else ROUNDS)
    tasks = [Task(world, seed, player, rounds) for world in worlds for seed in seeds for player in players]
    mine = [player for player in players if entries[player].ours]
    if choice.cold:
        tasks += [
            Task(world, seeds[0], player, rounds, cold=True)
            for world in worlds
            if world in TEXT_WORLDS
            for player in mine
        ]
    return tasks


def _names(thing: str, given: str | None, known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",")) if given else ()
    for name in names:
        if name not in known:
            msg = f"A {thing} must be one of {', '.join(known)}; got {name!r}"
            raise BenchError(msg)
    return names


def _numbers(given: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in given.split(",")] if given else []
    for part in parts:
        if not part.isdecimal():
            msg = f"Seeds must be numbers separated by commas; got {part!r}"
            raise BenchError(msg)
    return tuple(int(part) for part in parts)
