"""Where the partitions end now. The end that came with a fetch is as old as that fetch.

A reader that takes seconds to work through one fetch would take its last record for the last there is, and the other
topic of the partition, fetched later, would move the watermark past all that waits behind it. In small the same holds
of an end that was asked for before the last poll: what this poll brought may have been written after a record of
another partition that is beyond the end.
"""

import time
from collections.abc import Callable, Collection, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

_FRESH_S = 0.1  # far below any `out_of_order_ms`; an answer takes one or two milliseconds
_ANSWER_MS = 1_000


class Ends:
    """The ends of partitions, at most 0.1 s old; for one thread.

    Args:
        consumer: by which the broker is asked: one that reads nothing. A question behind a fetch that waits for
            records would wait with it, half a second.
        clock: seconds from an arbitrary start.

    Attributes:
        current: whether they were asked for after the last poll, so that a position at its end has nothing behind it
            that was written before what was polled.
    """

    def __init__(self, consumer: KafkaConsumer, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer, self._clock = consumer, clock
        self._ends: dict[TopicPartition, int] = {}
        self._asked_s = float("-inf")
        self.current = False

    def polled(self, *, found: bool) -> None:
        """Notes a poll. One that found nothing has waited, so that asking at once costs little of the time."""
        self.current = False
        if not found:
            self._asked_s = float("-inf")

    def of(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset after the last record of each partition; empty where the broker does not answer."""
        now_s = self._clock()
        if now_s - self._asked_s >= _FRESH_S or any(place not in self._ends for place in places):
            self._asked_s, self.current = now_s, True
            try:
                self._ends = self._consumer.end_offsets(list(places), timeout_ms=_ANSWER_MS) if places else {}
            except KafkaError:
                self._ends = {}
        return {place: end for place, end in self._ends.items() if place in places}
