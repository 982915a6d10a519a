"""Where the partitions end now. The end that came with a fetch is as old as that fetch.

A reader that takes seconds to work through one fetch would take its last record for the last there is, and the other
topic of the partition, fetched later, would move the watermark past all that waits behind it.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

_FRESH_S = 0.1  # after so long it is asked again
_STALE_S = 0.25  # what is older is not told; below any `out_of_order_ms` that a cluster can do with
_ANSWER_MS = 1_000
Known = dict[TopicPartition, int]


class Ends:
    """The ends of partitions, at most 0.25 s old; for one thread.

    Where they are known, the broker is asked for newer ones in a thread beside, so that decisions do not wait for it.

    Args:
        consumer: by which the broker is asked: one that reads nothing. A question behind a fetch that waits for
            records would wait with it, half a second.
        clock: seconds from an arbitrary start.
    """

    def __init__(self, consumer: KafkaConsumer, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer, self._clock = consumer, clock
        self._beside = ThreadPoolExecutor(1, "ends")
        self._ends: Known = {}
        self._ends_s = -_STALE_S
        self._question: tuple[float, Future[Known]] | None = None

    def of(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset after the last record of each partition; empty where the broker does not answer."""
        if not places:
            return {}
        now_s = self._clock()
        if self._question is not None and self._question[1].done():
            self._take()
        if self._question is None and (now_s - self._ends_s >= _FRESH_S or self._lacks(places)):
            self._ask(places, now_s)
        if now_s - self._ends_s >= _STALE_S or self._lacks(places):
            self._take()
            if self._lacks(places) and self._ends:  # that question was about other partitions
                self._ask(places, now_s)
                self._take()
        return {place: end for place, end in self._ends.items() if place in places}

    def close(self) -> None:
        """Ends the thread; to be called before the consumer is closed."""
        self._beside.shutdown()

    def _lacks(self, places: Collection[TopicPartition]) -> bool:
        return any(place not in self._ends for place in places)

    def _ask(self, places: Collection[TopicPartition], now_s: float) -> None:
        self._question = (now_s, self._beside.submit(self._answer, list(places)))

    def _take(self) -> None:
        if self._question is not None:
            self._ends_s, answer = self._question
            self._ends, self._question = answer.result(), None

    def _answer(self, places: list[TopicPartition]) -> Known:
        try:
            return dict(self._consumer.end_offsets(places, timeout_ms=_ANSWER_MS))
        except KafkaError:
            return {}
