"""The players of the benchmark by name: ours, and the peers where their packages are installed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.bench.errors import BenchError
from deploy.bench.rounds import Player, World


@dataclass(frozen=True, slots=True)
class Entry:
    """A player that can be chosen.

    Attributes:
        make: A fresh player for a world and a seed; None where the player cannot play that world.
        settings: How it is set, in the words of its own command line where it has one.
        ours: Whether it is compared to the others.
    """

    make: Callable[[World, int], Player | None]
    settings: str
    ours: bool


def known_players() -> dict[str, Entry]:
    """Every player, ours first.

    Raises:
        BenchError: a package of the peers is not installed.
    """
    from deploy.bench.ours import OURS  # noqa: PLC0415 - torch loads when somebody plays

    try:
        from deploy.bench.peers import PEERS  # noqa: PLC0415 - the packages of an extra
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    ours = {name: _entry(found, ours=True) for name, found in OURS.items()}
    return ours | {name: _entry(found, ours=False) for name, found in PEERS.items()}


def _entry(found: Callable[[World, int], Player | None], *, ours: bool) -> Entry:
    """What a registry holds: a factory, which may say how its players are set and which worlds they skip."""
    skips: Mapping[str, str] = getattr(found, "skips", {})
    parts = [getattr(found, "settings", "the defaults"), *(f"skips {name}: {why}" for name, why in skips.items())]
    return Entry(found, "; ".join(parts), ours)


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    if package in ("stream", "envs", "agent", "deploy"):
        return error
    msg = f"The peers' packages must be installed (pip install 'streambandit[peers]'); got no module {error.name!r}"
    return BenchError(msg)
