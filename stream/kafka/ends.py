"""Where the partitions end now. The end that came with a fetch is as old as that fetch.

A reader that takes seconds to work through one fetch would take its last record for the last there is, and the other
topic of the partition, fetched later, would move the watermark past all that waits behind it. In small the same holds
of an end that was asked for before the last poll: what this poll brought may have been written after a record of
another partition that is beyond the end.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

_FRESH_S = 0.1  # far below any `out_of_order_ms`; an answer takes some milliseconds
_ANSWER_MS = 1_000
_Ends = Mapping[TopicPartition, int]


class _Question(NamedTuple):
    answer: "Future[_Ends]"
    poll: int


class Ends:
    """The ends of partitions, at most 0.1 s old; for one thread.

    Where a poll found something and the ends are old, they are asked for at once, and the answer comes while what was
    found is worked on.

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
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ends")
        self._question: _Question | None = None
        self._polls = 0
        self._ends: _Ends = {}
        self._asked_s = float("-inf")
        self.current = False

    def polled(self, places: Collection[TopicPartition], *, found: bool) -> None:
        """Notes a poll. One that found nothing has waited, so that asking at once costs little of the time."""
        self.current = False
        self._polls += 1
        if not found:
            self._asked_s = float("-inf")
        elif places and self._question is None:
            now_s = self._clock()
            if now_s - self._asked_s >= _FRESH_S:
                self._ask(places, now_s)

    def of(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset after the last record of each partition; empty where the broker does not answer."""
        self._hear()
        now_s = self._clock()
        if places and (now_s - self._asked_s >= _FRESH_S or any(place not in self._ends for place in places)):
            self._ask(places, now_s)
            self._hear()
        return {place: end for place, end in self._ends.items() if place in places}

    def close(self) -> None:
        """Ends the thread that asks."""
        self._thread.shutdown(wait=True)

    def _ask(self, places: Collection[TopicPartition], now_s: float) -> None:
        self._asked_s = now_s
        answer = self._thread.submit(self._consumer.end_offsets, list(places), timeout_ms=_ANSWER_MS)
        self._question = _Question(answer, self._polls)

    def _hear(self) -> None:
        """Waits for the answer to the last question, if there is one."""
        question, self._question = self._question, None
        if question is None:
            return
        self.current = question.poll == self._polls
        try:
            self._ends = question.answer.result()
        except KafkaError:
            self._ends = {}
