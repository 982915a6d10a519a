"""Outcomes that lie in the log but were not handed over: read from there, in one order for all partitions together."""

import heapq
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from agent.history import History
from stream.codec import Codec, JsonCodec
from stream.errors import CodecError, StreamError
from stream.events import Outcome
from stream.meter import Meter


class Found(NamedTuple):
    """An outcome and its place; places sort by the time of the close, then by partition and offset."""

    closed_ms: int
    partition: int
    offset: int
    outcome: Outcome


class MissingOutcomes:
    """Reads some ranges of the topic of outcomes, a part at a time.

    Within a partition the order is that of the offsets; between partitions that of the time of the close. So it
    depends on the log alone.

    Args:
        history: the log.
        ranges: start and stop of the offsets by partition.
        meter: counts `outcomes_missed` with the label `unreadable`.
        codec: the wire format.

    Attributes:
        read_up_to: the offset after the last outcome that was given, by partition.
        exhausted: everything was given.
    """

    def __init__(
        self, history: History, ranges: Mapping[int, tuple[int, int]], meter: Meter, codec: Codec | None = None
    ) -> None:
        self._history, self._meter, self._codec = history, meter, codec or JsonCodec()
        self._stops = {partition: stop for partition, (_, stop) in ranges.items()}
        self.read_up_to = {partition: start for partition, (start, _) in ranges.items()}
        self._reading: Iterator[Found] | None = None
        self.exhausted = False

    def take(self, limit: int) -> list[Found]:
        """The next outcomes; after a failure the next call goes on behind what was given.

        Raises:
            LogUnavailableError: the log did not answer in time.
        """
        if self._reading is None:
            each = [self._read(partition, start) for partition, start in self.read_up_to.items()]
            self._reading = heapq.merge(*each, key=lambda found: found[:3])
        try:
            taken = list(islice(self._reading, limit))
        except StreamError:
            self._reading = None  # a reading that failed cannot be gone on with
            raise
        for found in taken:
            self.read_up_to[found.partition] = found.offset + 1
        if len(taken) < limit:
            self.exhausted, self.read_up_to = True, dict(self._stops)
        return taken

    def put_back(self, taken: list[Found]) -> None:
        """Takes back what could not be used yet: the last part that was given."""
        self._reading, self.exhausted = None, False
        for found in reversed(taken):
            self.read_up_to[found.partition] = found.offset

    def _read(self, partition: int, start: int) -> Iterator[Found]:
        for record in self._history.read("outcomes", partition, start, self._stops[partition]):
            try:
                outcome = self._codec.decode(record.value, Outcome, record.headers)
            except CodecError:
                self._meter.count("outcomes_missed", label="unreadable")
                continue
            yield Found(outcome.closed_ms, partition, record.offset, outcome)
