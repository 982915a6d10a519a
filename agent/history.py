"""The log as anybody may read it, apart from the group that shares its partitions; and what is looked up there."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol

from stream.codec import Codec, JsonCodec
from stream.errors import CodecError
from stream.events import Recommendation
from stream.log import Record, Topic

_TAIL = 1_000  # offsets: of the newest recommendations, transaction markers and aborted ones included


class History(Protocol):
    """Bounded reads of committed records, for one thread.

    Raises (from its methods):
        LogUnavailableError: the log did not answer in time.
    """

    def partitions(self) -> Iterable[int]:
        """The partitions that there are."""
        ...

    def begin(self, topic: Topic, partition: int) -> int:
        """The first offset that is still kept."""
        ...

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last record, once all transactions up to there are settled."""
        ...

    def read(self, topic: Topic, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Committed records with `start <= offset < stop`; iterators may be interleaved."""
        ...

    def close(self) -> None:
        """Releases what it holds."""
        ...


OpenHistory = Callable[[], History]


def newest_epoch(history: History, codec: Codec | None = None) -> int | None:
    """The highest epoch of a policy among the newest recommendations of each partition; None where there are none."""
    codec, epochs = codec or JsonCodec(), []
    for partition in history.partitions():
        end = history.end("recommendations", partition)
        for record in history.read("recommendations", partition, max(0, end - _TAIL), end):
            with suppress(CodecError, ValueError):  # not one of ours
                version = codec.decode(record.value, Recommendation, record.headers).policy_version
                epochs.append(int(version.partition(".")[0]))
    return max(epochs, default=None)
