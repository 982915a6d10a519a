"""The worlds of the benchmark by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.bench import world_banking, world_numeric, world_text
from deploy.bench.errors import BenchError
from deploy.bench.rounds import World
from deploy.bench.world_reading import Reading, Vectors
from deploy.bench.world_simulated import SimulatedWorld

TUNE_SEEDS = tuple(range(5))  # whatever is chosen by looking at results is chosen on these
REPORT_SEEDS = tuple(range(2000, 2010))

_NUMERIC: dict[str, Callable[[int], SimulatedWorld]] = {
    "linear": world_numeric.linear,
    "nonlinear": world_numeric.nonlinear,
    "drift": world_numeric.drift,
    "seasons": world_numeric.seasons,
    "cold-start": world_numeric.cold_start,
    "delayed": world_numeric.delayed,
    "returning-users": world_numeric.returning_users,
    "heavy-tailed": world_numeric.heavy_tailed,
    "many-items": world_numeric.many_items,
}
TEXT_WORLDS = (world_text.NAME, world_banking.NAME)
WORLDS = (*_NUMERIC, *TEXT_WORLDS)


class BenchWorld(World, Protocol):
    """A world that knows how many of its texts had been encoded before they came."""

    @property
    def texts_met(self) -> float | None:
        """Share of the texts whose vectors were known; None where there are no texts."""
        ...


@dataclass(frozen=True, slots=True)
class Library:
    """Where texts come from.

    Attributes:
        data: Folder of public data; holds `banking77`.
        vectors: Encodes the texts.
        cold: Whether texts are encoded while a world is played.
    """

    data: Path
    vectors: Vectors
    cold: bool = False


def build(name: str, seed: int, library: Library) -> BenchWorld:
    """A fresh world.

    Raises:
        BenchError: no world has this name, or its data is missing.
    """
    if name in _NUMERIC:
        return _NUMERIC[name](seed)
    if name == world_text.NAME:
        cold = Reading(*world_text.corpus()) if library.cold else None
        return world_text.text(seed, library.vectors, cold=cold)
    if name == world_banking.NAME:
        data = world_banking.utterances(library.data / name)
        cold = Reading(data.texts, data.names) if library.cold else None
        return world_banking.BankingWorld(seed, data, library.vectors, cold=cold)
    msg = f"A world must be one of {', '.join(WORLDS)}; got {name!r}"
    raise BenchError(msg)
