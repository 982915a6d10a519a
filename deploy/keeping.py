"""Keeping checkpoints: gathered between two updates, written by a thread beside, one at a time."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from agent.checkpoint import Checkpoint
from agent.errors import SnapshotError
from agent.sealed import SealedFolders
from deploy.settings import CheckpointSettings, group_folder
from stream.meter import Meter

_log = logging.getLogger("streambandit.checkpoint")


class CheckpointKeeper:
    """The checkpoints of one consumer group.

    Args:
        settings: where, how often and how many.
        group_id: of the consumer group; each has a folder of its own.
        timer: seconds from an arbitrary start.
        meter: counts what is written; for the driver's thread.
    """

    def __init__(self, settings: CheckpointSettings, group_id: str, timer: Callable[[], float], meter: Meter) -> None:
        self._every_s, self._timer, self._meter = settings.every_s, timer, meter
        self.folders = SealedFolders(group_folder(settings, group_id), "checkpoint", settings.keep)
        self._number = max(self.folders.numbers(), default=0)
        self._threads = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[float] | None = None
        self._saved_s = timer()

    def newest(self) -> tuple[int, Checkpoint] | None:
        """The newest whole checkpoint with its number; None where there is none.

        Raises:
            CheckpointError: it is of another format.
        """
        for number, files in self.folders.newest_first():
            return number, Checkpoint.from_files(files)
        return None

    def keep(self, gather: Callable[[], Checkpoint]) -> None:
        """Saves a checkpoint if one is due and none is being written; returns at once."""
        now_s = self._timer()
        self._meter.level("checkpoint_age_seconds", now_s - self._saved_s)
        if self._writing is not None and self._writing.done():
            self._settle()
        if self._writing is None and now_s - self._saved_s >= self._every_s:
            checkpoint = gather()
            self._meter.observe("checkpoint_gather_ms", [1_000.0 * (self._timer() - now_s)])
            self._saved_s = now_s
            self._writing = self._threads.submit(self._write, checkpoint)

    def save(self, checkpoint: Checkpoint) -> int:
        """Saves a checkpoint and returns its number once it is on the disk.

        Raises:
            SnapshotError: the disk refused.
        """
        if self._writing is not None:
            self._settle()
        self._saved_s = self._timer()
        self._written(self._threads.submit(self._write, checkpoint).result())
        return self._number

    def close(self) -> None:
        """Waits for what is being written, which is of use only whole."""
        self._threads.shutdown()

    def _settle(self) -> None:
        """Takes in how the writing beside went; a refusal is told and tried again at the next time."""
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                self._written(writing.result())
        except SnapshotError as error:
            self._meter.count("checkpoint_errors")
            _log.warning("%s", error)

    def _written(self, seconds: float) -> None:
        self._meter.count("checkpoints")
        self._meter.observe("checkpoint_write_ms", [1_000.0 * seconds])

    def _write(self, checkpoint: Checkpoint) -> float:
        started_s = self._timer()
        self._number += 1
        self.folders.save(self._number, checkpoint.files())
        return self._timer() - started_s
