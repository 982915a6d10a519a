"""What waits in a runner for the driver: bounded in rows, so that its memory is."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.click_delays import ClickDelay
from agent.open_evidence import Mark
from agent.open_look import OpenLook
from agent.resolved import Resolved, Span
from stream.meter import Tally


@dataclass(frozen=True)
class Handover:
    """What the deciding thread passes on: what closed, and what it counted since the last time.

    Attributes:
        resolved: rows of what closed; None where nothing did.
        spans: the stretches of the topic of outcomes that are covered by this.
        tally: everything counted.
        world: what the world in this process says of itself.
        clicks: how long the clicks on what closed took.
        marks: how far each partition had closed with this.
        look: what was open after this; None where nobody asked. Of several the newest counts.
    """

    resolved: Resolved | None = None
    spans: tuple[Span, ...] = ()
    tally: Tally = field(default_factory=Tally)
    world: dict[str, Any] = field(default_factory=dict)
    clicks: tuple[ClickDelay, ...] = ()
    marks: tuple[Mark, ...] = ()
    look: OpenLook | None = None

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return 0 if self.resolved is None else len(self.resolved)

    @staticmethod
    def joined(parts: "list[Handover]") -> "Handover":
        """All of it as one, in order; of the worlds' reports the newest."""
        tally = Tally()
        for part in parts:
            tally.merge(part.tally)
        resolved = [part.resolved for part in parts if part.resolved is not None]
        return Handover(
            resolved=Resolved.concatenate(resolved) if resolved else None,
            spans=tuple(span for part in parts for span in part.spans),
            tally=tally,
            world=next((part.world for part in reversed(parts) if part.world), {}),
            clicks=tuple(click for part in parts for click in part.clicks),
            marks=_last_of_each(mark for part in parts for mark in part.marks),
            look=next((part.look for part in reversed(parts) if part.look is not None), None),
        )


def _last_of_each(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Of marks at the same end of the same partition the last, so that joined counts do not grow."""
    return tuple({(mark.partition, mark.stop): mark for mark in marks}.values())


class HandoverQueue:
    """From the deciding thread to the driver's calls.

    Args:
        limit_rows: rows it holds; a single larger hand-over passes alone.
    """

    def __init__(self, limit_rows: int) -> None:
        self._limit = limit_rows
        self._parts: deque[Handover] = deque()
        self._changed = threading.Condition()
        self._pressing = False
        self.rows = 0

    def put(self, part: Handover, timeout_s: float) -> bool:
        """Adds to the end; false if there was no room in time."""
        with self._changed:
            if not self._fits(part):
                self._pressing = True  # whoever waits for more rows had better take those that there are
                self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._fits(part), timeout_s):
                return False
            if self._parts and not part.rows:  # counts alone must not make the queue grow
                part = Handover.joined([self._parts.pop(), part])
                self.rows -= part.rows
            self._parts.append(part)
            self.rows += part.rows
            self._pressing |= part.look is not None
            self._changed.notify_all()
            return True

    def take(self, room: int, lacking: int, timeout_s: float) -> list[Handover]:
        """What comes next and fits into so many rows, at least one part if there is any room.

        Args:
            room: rows.
            lacking: how many rows to wait for; what there is comes where they do not, or with a look.
            timeout_s: how long to wait at most.
        """
        taken: list[Handover] = []
        with self._changed:
            self._changed.wait_for(lambda: self._pressing or self.rows >= min(lacking, room), timeout_s)
            self._pressing, size = False, 0
            while self._parts and (not self._parts[0].rows or size + self._parts[0].rows <= room or 0 == size < room):
                taken.append(self._parts.popleft())
                size += taken[-1].rows
            self.rows -= size
            self._changed.notify_all()
        return taken

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._parts)

    def _fits(self, part: Handover) -> bool:
        return not part.rows or not self.rows or self.rows + part.rows <= self._limit
