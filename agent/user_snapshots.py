"""Where the users of a partition are kept: in memory, and now and then in sealed folders, from which a restart goes on.

What is saved is settled: a fold over the outcomes of one partition up to an offset. So whoever gets the partition next
opens the newest snapshot and folds the outcomes behind it; without one, the last outcomes of the topic.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agent.errors import SnapshotError
from agent.interests import InterestStore
from agent.sealed import SealedFolders
from agent.settings import InterestSettings
from agent.snapshot import UserState, users_from, users_of
from envs.protocols import Interests

_STATE, _TENSORS = "users.json", "vectors.safetensors"
_log = logging.getLogger("streambandit.users")


@dataclass(frozen=True)
class Keeping:
    """How users are saved.

    Attributes:
        folder: under which the snapshots lie; every runner must reach it.
        every_ms: time between two snapshots of a partition.
        keep: how many of a partition stay.
        clock: processing time in milliseconds.
    """

    folder: Path
    every_ms: int
    keep: int
    clock: Callable[[], int]


class _Saved(msgspec.Struct):
    space: str
    users: list[UserState]


class UserStores:
    """The users of a runner's partitions; an `envs.protocols.UserStores`.

    Args:
        settings: of each partition's store.
        rebuild_outcomes: how many of the newest outcomes are folded where there is no snapshot.
        keeping: where to save; None keeps them in memory alone.
    """

    def __init__(
        self, settings: InterestSettings, rebuild_outcomes: int = 200_000, keeping: Keeping | None = None
    ) -> None:
        self._settings, self._rebuild, self._keeping = settings, rebuild_outcomes, keeping
        self._told: dict[int, tuple[InterestStore, int, str]] = {}
        self._saved_ms: dict[int, int] = {}
        self._saved_at: dict[int, int] = {}
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="users")
        self._writing: Future[None] | None = None

    def open(self, partition: int, end: int, space: str) -> tuple[InterestStore, int]:
        """The users as last saved, and the first outcome that they do not hold yet."""
        store = InterestStore(self._settings)
        self._told.pop(partition, None)
        start = max(0, end - self._rebuild)
        if self._keeping is None:
            return store, start
        self._saved_ms[partition] = self._keeping.clock()
        for offset, files in self._folders(self._keeping, partition).newest_first():
            if start <= offset <= end and self._load(store, partition, files, space):
                _log.info("partition %d: %d users as of outcome %d", partition, len(store), offset)
                self._saved_at[partition] = offset
                return store, offset
        return store, start

    def committed(self, partition: int, interests: Interests, outcomes_next: int, space: str) -> None:
        """Notes the users as they are now, and saves them where it is time; never waits for the disk."""
        if self._keeping is None or not isinstance(interests, InterestStore):
            return
        self._told[partition] = (interests, outcomes_next, space)
        due = self._keeping.clock() - self._saved_ms.get(partition, 0) >= self._keeping.every_ms
        if due and (self._writing is None or self._writing.done()):
            self._save(self._keeping, partition)

    def close(self) -> None:
        """Saves every partition as it was told last, and waits for the disk."""
        for partition in sorted(self._told):
            if self._keeping is not None:
                self._save(self._keeping, partition)
        self._told.clear()
        self._writer.shutdown(wait=True)

    def _save(self, keeping: Keeping, partition: int) -> None:
        store, offset, space = self._told[partition]
        self._saved_ms[partition] = keeping.clock()
        if self._saved_at.get(partition) == offset:
            return
        self._saved_at[partition] = offset
        states, arrays = users_of(store.users)  # copies: what follows runs while the store moves on
        folders = self._folders(keeping, partition)

        def write() -> None:
            files = {_STATE: msgspec.json.encode(_Saved(space, states)), _TENSORS: save(arrays)}
            try:
                folders.save(offset, files)
            except SnapshotError as error:
                _log.warning("users of partition %d are not saved: %s", partition, error)

        self._writing = self._writer.submit(write)

    def _load(self, store: InterestStore, partition: int, files: dict[str, bytes], space: str) -> bool:
        try:
            saved = msgspec.json.decode(files[_STATE], type=_Saved)
            if saved.space != space:
                raise ValueError(f"vectors must be of the space {space!r}; got {saved.space!r}")
            store.users.update(users_from(saved.users, load(files[_TENSORS]), int(space.rpartition("/")[2])))
        except (KeyError, ValueError, SafetensorError) as error:  # msgspec's errors are ValueErrors
            _log.warning("a snapshot of the users of partition %d is left out: %s", partition, error)
            return False
        return True

    def _folders(self, keeping: Keeping, partition: int) -> SealedFolders:
        return SealedFolders(keeping.folder, f"users-{partition}", keeping.keep)
