"""The learner's books: what was handed over, what of it is learned, and what is missing in between.

Runners hand over rows with the spans of the topic of outcomes that they cover. What was covered before is refused; what
lies between two spans is read from the log and learned first. So every outcome is learned once, in the order of its
partition, whoever died on the way.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from agent.history import History
from agent.learned import Learned, places_of
from agent.missing import Found, MissingOutcomes
from agent.resolved import Resolved, Span
from stream.meter import Meter

ToRows = Callable[[list[Found]], Resolved | None]
_log = logging.getLogger("streambandit.learner")


class Ledger:
    """Keeps rows in the order in which they are to be learned.

    Args:
        meter: counts `outcomes_refused`, `outcomes_fetched` and `outcomes_missed`.
        history: the log; None where there is none to read from: then nothing can be missing.
        to_rows: makes rows of outcomes that were read from the log.

    Attributes:
        rows: that wait.
        positions: the next offset to learn, by partition.
        learned: which outcomes were learned.
    """

    def __init__(self, meter: Meter, history: History | None = None, to_rows: ToRows | None = None) -> None:
        self._meter, self._history, self._to_rows = meter, history, to_rows
        self._queue: deque[Resolved | MissingOutcomes] = deque()
        self._received: dict[int, int] = {}
        self._from_start = False
        self.rows = 0
        self.positions: dict[int, int] = {}
        self.learned = Learned()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._queue)

    def restore(self, positions: Mapping[int, int], learned: Learned) -> None:
        """Starts from what a checkpoint says; partitions that it does not name are learned from their beginning."""
        self._queue.clear()
        self.rows, self._from_start = 0, True
        self.positions, self._received, self.learned = dict(positions), dict(positions), learned

    def receive(self, resolved: Resolved | None, spans: Iterable[Span]) -> None:
        """Takes in what a runner hands over: rows in the order of the spans that they lie in."""
        size = 0 if resolved is None else len(resolved)
        fresh_R = np.zeros(size, dtype=np.bool_)
        pending_R = fresh_R.copy()
        for span in spans:
            known = self._received.get(span.partition, 0 if self._from_start else span.start)
            if span.start > known and self._history is not None:
                self._keep(resolved, pending_R)
                pending_R = np.zeros(size, dtype=np.bool_)
                self.fetch({span.partition: (known, span.start)})
            if resolved is not None:
                found_R = _within(resolved, span, known if self._history is not None else span.start)
                pending_R |= found_R
                fresh_R |= found_R
            self._received[span.partition] = max(known, span.stop)
        self._keep(resolved, pending_R)
        if resolved is not None and not fresh_R.all():
            self._meter.count("outcomes_refused", len(places_of(*resolved.where(~fresh_R).places())))

    def fetch(self, ranges: Mapping[int, tuple[int, int]]) -> None:
        """Reads ranges of the log, before anything that is handed over later."""
        wanted = {partition: each for partition, each in ranges.items() if each[1] > each[0]}
        if wanted and self._history is not None:
            _log.info("outcomes to read from the log: %s", ", ".join(f"[{p}]@{a}-{b}" for p, (a, b) in wanted.items()))
            self._queue.append(MissingOutcomes(self._history, wanted, self._meter))
            for partition, (_, stop) in wanted.items():
                self._received[partition] = max(self._received.get(partition, 0), stop)

    def fetch_up_to_ends(self) -> None:
        """Reads what lies in the log behind everything that was received.

        Raises:
            LogUnavailableError: the log did not answer in time.
        """
        if self._history is None:
            return
        ranges = {}
        for partition in self._history.partitions():
            end = self._history.end("outcomes", partition)
            ranges[partition] = (self._received.get(partition, 0 if self._from_start else end), end)
        self.fetch(ranges)

    @property
    def missing(self) -> bool:
        """Whether something must be read from the log before what is behind it can be learned."""
        return any(isinstance(each, MissingOutcomes) for each in self._queue)

    def fill(self, limit: int, most: int) -> None:
        """Reads missing outcomes where there is room for them, or where nothing can be learned before they are read.

        Args:
            limit: how many outcomes.
            most: rows that may wait; more only where the first thing that waits is missing.

        Raises:
            LogUnavailableError: the log did not answer in time; a later call goes on.
            EncoderError: the encoder did not; likewise.
        """
        missing = next((each for each in self._queue if isinstance(each, MissingOutcomes)), None)
        if missing is None or self._to_rows is None or (self.rows >= most and missing is not self._queue[0]):
            return
        taken = missing.take(limit)
        try:
            rows = self._to_rows(taken) if taken else None
        except Exception:
            missing.put_back(taken)
            raise
        self._meter.count("outcomes_fetched", len(taken))
        place = self._queue.index(missing)
        if missing.exhausted:
            del self._queue[place]
        if rows is not None:
            self._queue.insert(place, rows)
            self.rows += len(rows)

    def take(self, enough: int, most: int, *, less: bool) -> Resolved | None:
        """The next rows that may be learned, and those that belong to the same outcome as the last of them.

        Args:
            enough: None where there are not so many.
            most: how many at once.
            less: whether fewer will do.
        """
        ready: list[Resolved] = []
        size = 0
        for each in self._queue:
            if isinstance(each, MissingOutcomes) or size >= most:
                break
            ready.append(each)
            size += len(each)
        if not ready or (size < enough and not less):
            return None
        for _ in ready:
            self._queue.popleft()
        rows = Resolved.concatenate(ready)
        cut = _boundary(rows, most)
        if cut < len(rows):
            self._queue.appendleft(rows[cut:])
        self.rows -= cut
        return rows[:cut]

    def learnt(self, resolved: Resolved) -> None:
        """Notes that rows from `take` are learned."""
        places = places_of(*resolved.places())
        self.learned = self.learned.plus(places, len(resolved))
        for partition, offset in places:
            self.positions[partition] = max(self.positions.get(partition, 0), offset + 1)

    def _keep(self, resolved: Resolved | None, keep_R: NDArray[np.bool_]) -> None:
        if resolved is not None and keep_R.any():
            kept = resolved if keep_R.all() else resolved.where(keep_R)
            self._queue.append(kept)
            self.rows += len(kept)


def _within(resolved: Resolved, span: Span, known: int) -> NDArray[np.bool_]:
    """Which rows lie in a span and are new."""
    start = max(span.start, known)
    mine_R: NDArray[np.bool_] = resolved.partition_R == span.partition
    return mine_R & (resolved.offset_R >= start) & (resolved.offset_R < span.stop)


def _boundary(rows: Resolved, enough: int) -> int:
    """Where to cut so that no outcome is split: at `enough` or as little behind it as possible."""
    cut = min(enough, len(rows))
    partition_R, offset_R = rows.places()
    while cut < len(rows) and (partition_R[cut], offset_R[cut]) == (partition_R[cut - 1], offset_R[cut - 1]):
        cut += 1
    return cut
