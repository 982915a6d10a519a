"""How a deterministic loop survives its process: checkpoints of what is settled, and the outcomes behind them."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from agent.checkpoint import Checkpoint
from agent.history import newest_epoch
from agent.learned import Learned
from agent.learning import Learning
from agent.outcome_fold import OutcomeFold, Relabel
from agent.outcome_order import OutcomeOrder
from agent.sealed import SealedFolders
from envs.core import Closed
from envs.parts import Parts
from stream.errors import CodecError
from stream.events import Outcome
from stream.log import EventLog, Published, Record, Topic

_log = logging.getLogger("streambandit.learner")
_PART = 500  # outcomes that are read of a partition at a time


@dataclass(frozen=True)
class Checkpointing:
    """Where checkpoints lie, and how often one is made.

    Attributes:
        folders: where they lie.
        partitions: of the topics; the loop owns them all.
        every_updates: updates from one to the next.
    """

    folders: SealedFolders
    partitions: int
    every_updates: int = 8


class Behind(NamedTuple):
    """Committed outcomes of the log, and how far the partitions have closed of which these are the last."""

    outcomes: list[Closed]
    closed_ms: dict[int, int]


def restored_fold(
    learning: Learning, parts: Parts, checkpointing: Checkpointing | None, relabel: Relabel | None
) -> OutcomeFold:
    """The fold as its newest whole checkpoint says, else from the start of the topic; after a restart in a new epoch.

    Raises:
        CheckpointError: the checkpoint is of other settings, of another layout or encoder.
    """
    if checkpointing is None:
        return OutcomeFold(learning, parts.featurizer, dict.fromkeys(parts.log.assignment(), 0), relabel=relabel)
    positions, learned = dict.fromkeys(range(checkpointing.partitions), 0), Learned()
    newest = newest_epoch(_WholeLog(parts.log, checkpointing.partitions), parts.codec)
    for number, files in islice(checkpointing.folders.newest_first(), 1):
        checkpoint = Checkpoint.from_files(files)
        checkpoint.restore_into(learning, parts.featurizer.encoder_version)
        positions |= checkpoint.state.positions
        learned = checkpoint.state.learned
        newest = max(checkpoint.state.epoch, -1 if newest is None else newest)
        _log.info("checkpoint %d is restored, with %d outcomes learned", number, learned.outcomes)
    learning.policy.epoch.fill_(0 if newest is None else newest + 1)
    return OutcomeFold(learning, parts.featurizer, positions, learned, relabel)


def save(learning: Learning, fold: OutcomeFold, parts: Parts, folders: SealedFolders) -> None:
    """Makes a checkpoint of what is settled, between two updates.

    Raises:
        SnapshotError: the disk refused; the checkpoints before are as they were.
    """
    learning.provide(None)
    checkpoint = Checkpoint.of(learning, fold.positions, fold.learned, parts.featurizer.encoder_version)
    folders.save(int(learning.policy.updates), checkpoint.files())


def outcomes_behind(parts: Parts, order: OutcomeOrder) -> Iterator[Behind]:
    """What was committed and is not in the order yet, a part at a time; each part is to be added before the next.

    Raises:
        LogUnavailableError: the log did not answer in time.
    """
    stops = {partition: parts.log.end("outcomes", partition) for partition in order.following}
    reading = {
        partition: _read(parts, partition, order.following[partition], stop) for partition, stop in stops.items()
    }
    while reading:
        for partition in [p for p in order.lacking() if p in reading] or list(reading):
            part = list(islice(reading[partition], _PART))
            closed_ms: dict[int, int] = {}
            if len(part) < _PART:
                del reading[partition]
                closed_ms = closed_up_to(parts.log, [partition])
            yield Behind(part, closed_ms)
    order.reach(stops)


def closed_up_to(log: EventLog, partitions: Iterable[int]) -> dict[int, int]:
    """The end of the windows that all have closed, as committed, by partition."""
    progress = {partition: log.progress(partition) for partition in partitions}
    return {partition: max(each.watermark_ms, each.closed_ms) for partition, each in progress.items() if each}


def _read(parts: Parts, partition: int, start: int, stop: int) -> Iterator[Closed]:
    for record in parts.log.read("outcomes", partition, start, stop):
        try:
            outcome = parts.codec.decode(record.value, Outcome, record.headers)
        except CodecError:
            parts.meter.count("outcomes_missed", label="unreadable")
            _log.warning("outcomes[%d]@%d cannot be read and is left out", partition, record.offset)
            continue
        yield Closed(outcome, Published("outcomes", partition, record.offset))


@dataclass(frozen=True)
class _WholeLog:
    """An event log as a `History` of all its partitions."""

    log: EventLog
    count: int

    def partitions(self) -> range:
        return range(self.count)

    def begin(self, topic: Topic, partition: int) -> int:  # noqa: ARG002 - the log does not say
        return 0

    def end(self, topic: Topic, partition: int) -> int:
        return self.log.end(topic, partition)

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        return self.log.read(topic, partition, start, stop)

    def close(self) -> None:
        pass
