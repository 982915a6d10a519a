"""The product's own log with phase marks, and two builds that are broken on purpose; the product has no hook for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kafka import ConsumerGroupMetadata

from chaos.marks import Marks
from deploy.compose import KafkaSession
from deploy.settings import Settings
from envs.session import Session, Share
from stream.kafka.log import KafkaLog
from stream.kafka.publisher import Offsets, TransactionalPublisher
from stream.log import OUTPUT_TOPICS, Published, Record, Topic
from stream.unit import HeldUnit


class MarkedProducer:
    """A transactional producer that marks the steps of a transaction; all else is the producer's own."""

    def __init__(self, producer: Any, marks: Marks) -> None:
        self._producer, self._marks = producer, marks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def begin_transaction(self) -> None:
        self._producer.begin_transaction()
        self._marks.enter("transaction")

    def flush(self, timeout: float | None = None) -> None:
        self._producer.flush(timeout=timeout)
        self._marks.hold("transaction")

    def send_offsets_to_transaction(self, *arguments: Any) -> None:
        self._marks.enter("offsets")
        self._producer.send_offsets_to_transaction(*arguments)
        self._marks.hold("offsets")

    def commit_transaction(self) -> None:
        self._marks.enter("committing")
        self._marks.hold("committing")
        self._producer.commit_transaction()
        self._marks.enter("committed")
        self._marks.hold("committed")


class MarkedPublisher(TransactionalPublisher):
    """The product's publisher over a marked producer."""

    def __init__(self, settings: Any, transactional_id: str, marks: Marks) -> None:
        self._marks = marks
        super().__init__(settings, transactional_id)

    def open(self) -> Any:
        return MarkedProducer(super().open(), self._marks)


class PhasedLog(KafkaLog):
    """The product's log; each call marks its phase."""

    def __init__(self, settings: Any, index: int = 0, *, marks: Marks) -> None:
        self.marks = marks
        super().__init__(settings, index)
        if self._transactional is not None:
            self._transactional.close()
            self._transactional = MarkedPublisher(settings, f"{settings.group_id}-{index}", marks)

    def poll(self, max_records: int, timeout_ms: int) -> list[Record]:
        self.marks.enter("polling")
        self.marks.hold("polling")
        records = super().poll(max_records, timeout_ms)
        self.marks.enter("deciding")
        return records

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        self.marks.enter("replay")
        for record in super().read(topic, partition, start, stop):
            self.marks.hold("replay")
            yield record
        self.marks.enter("deciding")

    def _settle(self, unit: HeldUnit, offsets: Offsets, group: ConsumerGroupMetadata) -> Sequence[Published]:
        try:
            published = self._settled(unit, offsets, group)
        finally:
            self.marks.carried()
        if unit.events:
            self.marks.committed()
        return published

    def _settled(self, unit: HeldUnit, offsets: Offsets, group: ConsumerGroupMetadata) -> Sequence[Published]:
        return super()._settle(unit, offsets, group)

    def _commit_offsets(self, offsets: Any) -> None:
        self.marks.enter("positions")
        self.marks.hold("positions")
        super()._commit_offsets(offsets)


class SwappedLog(PhasedLog):
    """Broken: commits the positions, then publishes. What lies between is lost."""

    def _settled(self, unit: HeldUnit, offsets: Offsets, group: ConsumerGroupMetadata) -> Sequence[Published]:
        self._commit_offsets(offsets)
        _between(self.marks, unit)
        return self._plain.publish(unit.events) if unit.events else []


class RepeatLog(PhasedLog):
    """Broken: publishes without a transaction, then commits, and takes what was not committed for invisible.

    What lies between comes twice. A log that reads its outputs to their end after a crash would see that it is there.
    """

    def _settled(self, unit: HeldUnit, offsets: Offsets, group: ConsumerGroupMetadata) -> Sequence[Published]:
        published = self._plain.publish(unit.events) if unit.events else []
        _between(self.marks, unit)
        self._commit_offsets(offsets)
        for topic, partition, offset in published:
            self._end_file(topic, partition).write_text(str(offset + 1))
        return published

    def end(self, topic: Topic, partition: int) -> int:
        file = self._end_file(topic, partition)
        if topic not in OUTPUT_TOPICS:
            return super().end(topic, partition)
        return int(file.read_text() or 0) if file.exists() else 0

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        return super().read(topic, partition, start, min(stop, self.end(topic, partition)))

    def _end_file(self, topic: Topic, partition: int) -> Path:
        return self.marks.folder / f"end-{topic}-{partition}"


def _between(marks: Marks, unit: HeldUnit) -> None:
    if unit.events:
        marks.enter("between")
        marks.hold("between")


BUILDS = {"real": PhasedLog, "swapped": SwappedLog, "repeat": RepeatLog}


@dataclass(frozen=True)
class PhasedSession:
    """The product's session of a runner, whose log is one of `BUILDS`; picklable.

    Attributes:
        settings: all of them.
        folder: where the marks lie.
        build: which log.
    """

    settings: Settings
    folder: Path
    build: str = "real"

    def __call__(self, share: Share) -> Session:
        marks = Marks(self.folder, "runner", share.index)
        with patch("stream.kafka.log.KafkaLog", partial(BUILDS[self.build], marks=marks)):
            return KafkaSession(self.settings)(share)
