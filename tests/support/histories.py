"""A log of outcomes as a driver reads it, and hand-overs of it, as runners make them."""

import numpy as np

from agent.resolved import Resolved, Span
from envs.rows import Rows
from stream.codec import JsonCodec
from stream.errors import LogUnavailableError
from stream.log import Record
from support.events import T0_MS, outcome

CODEC = JsonCodec()
SLOTS = 2


class Outcomes:
    """Outcomes of two slots at every second offset: the offsets between are transaction markers.

    `away` reads fail before one succeeds; a record in `garbage` is no outcome.
    """

    def __init__(self, *counts, garbage=()):
        self.counts, self.garbage, self.away = counts, set(garbage), 0

    def partitions(self):
        return range(len(self.counts))

    def begin(self, topic, partition):
        return 0

    def end(self, topic, partition):
        return 2 * self.counts[partition]

    def close(self):
        pass

    def read(self, topic, partition, start, stop):
        assert topic == "outcomes"
        for offset in range(start, min(stop, self.end(topic, partition))):
            if offset % 2 == 0:
                if self.away:
                    self.away -= 1
                    raise LogUnavailableError("log must answer in time; got nothing")
                yield self._record(partition, offset)

    def _record(self, partition, offset):
        value = CODEC.encode(outcome(closed_ms=T0_MS + 10 * offset + partition))
        if (partition, offset) in self.garbage:
            value = b"{"
        return Record("outcomes", partition, offset, b"u", value, CODEC.headers, T0_MS)


def resolved(*places):
    """The rows of outcomes at places, two each."""
    partition_R = np.repeat([partition for partition, _ in places], SLOTS).astype(np.int64)
    offset_R = np.repeat([offset for _, offset in places], SLOTS).astype(np.int64)
    one_R1 = np.zeros((len(offset_R), 1), np.float32)
    reward_R = np.zeros(len(offset_R), np.float32)
    key_R = np.zeros(len(offset_R), np.int64)
    half_R = np.full(len(offset_R), 0.5)
    rows = Rows(one_R1, one_R1, one_R1, key_R, key_R, reward_R, half_R, key_R, reward_R, one_R1[:, 0], key_R)
    return Resolved(rows, partition_R, offset_R)


def rows_of(found):
    """What a driver makes of outcomes that it read."""
    return resolved(*((each.partition, each.offset) for each in found))


def handed(partition, start, stop):
    """A hand-over of everything from one offset to another."""
    places = [(partition, offset) for offset in range(start, stop) if offset % 2 == 0]
    return resolved(*places), (Span(partition, start, stop),)
