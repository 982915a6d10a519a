"""Phase marks: each process keeps the phase it is in in a small mapped file, which outlives it.

So a killer sees in which phase a process is, can ask it to stay there for a moment, and reads afterwards in which it
died. A mark costs one store into mapped memory. What carries a unit of work has a phase of its own beside the process,
which goes on meanwhile; while something is carried, that phase is what others see.
"""

import mmap
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PHASES = (
    "starting",
    "polling",
    "deciding",
    "transaction",  # begun; held once the broker has its records
    "offsets",
    "committing",
    "committed",  # the broker has said yes, the learner has not heard of it
    "positions",  # a commit of positions alone
    "between",  # only in builds that are broken on purpose
    "replay",
    "stepping",
    "checkpoint",  # some of its files are on the disk
)
CARRYING = ("transaction", "offsets", "committing", "committed", "positions", "between")
_SIZE = 64
_COMMITS, _TRAP, _CARRIED = 8, 1, 2
HOLD_S = 1.5


class Marks:
    """What a process writes of itself.

    Args:
        folder: where the files of all processes lie.
        role: `runner` or `driver`.
        index: of the runner.
    """

    def __init__(self, folder: Path, role: str, index: int) -> None:
        self.folder = folder
        path = folder / f"{role}-{index}-{os.getpid()}.mark"
        path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    def enter(self, phase: str) -> None:
        """Marks the beginning of a phase."""
        self._map[_CARRIED if phase in CARRYING else 0] = PHASES.index(phase)

    def hold(self, phase: str) -> None:
        """Stays here for at most `HOLD_S` where somebody asked for this phase, as a slow disk or network would."""
        deadline = time.monotonic() + HOLD_S
        while self._map[_TRAP] == PHASES.index(phase) and time.monotonic() < deadline:
            time.sleep(0.002)

    def carried(self) -> None:
        """Marks that nothing is carried any more."""
        self._map[_CARRIED] = 0

    def committed(self) -> None:
        """Counts a commit."""
        (count,) = struct.unpack_from("<Q", self._map, _COMMITS)
        struct.pack_into("<Q", self._map, _COMMITS, count + 1)


@dataclass
class Seen:
    """What others see of a process, also after its death."""

    role: str
    index: int
    pid: int
    path: Path

    def __post_init__(self) -> None:
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @property
    def phase(self) -> str:
        """The phase now, or the one it died in."""
        return PHASES[self._map[_CARRIED] or self._map[0]]

    @property
    def commits(self) -> int:
        """Commits so far."""
        return int(struct.unpack_from("<Q", self._map, _COMMITS)[0])

    def trap(self, phase: str | None) -> None:
        """Asks it to stay for a moment when it enters the phase; None for no phase."""
        self._map[_TRAP] = PHASES.index(phase) if phase else 0


class Watch:
    """All processes that have ever written marks into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Seen] = {}

    def all(self) -> list[Seen]:
        """Everybody, the dead included."""
        for name in os.listdir(self._folder):  # noqa: PTH208 - a thousand times a second
            if name.endswith(".mark") and name not in self._seen:
                role, index, pid = name.removesuffix(".mark").split("-")
                path = self._folder / name
                if path.stat().st_size == _SIZE:
                    self._seen[name] = Seen(role, int(index), int(pid), path)
        return list(self._seen.values())

    def living(self, role: str) -> Iterator[Seen]:
        """Who of a role runs now."""
        return (seen for seen in self.all() if seen.role == role and runs(seen.pid))


def runs(pid: int) -> bool:
    """Whether a process lives and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
