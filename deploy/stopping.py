"""Ending on request: one signal asks, a second one ends the process at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether, and when, somebody asked the run to end.

    Args:
        timer: seconds from an arbitrary start.
        deadline_s: how long ending may take.
    """

    def __init__(self, timer: Callable[[], float], deadline_s: float) -> None:
        self._timer, self._deadline_s = timer, deadline_s
        self._asked_s: float | None = None

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked_s is not None

    @property
    def overdue(self) -> bool:
        """Whether it came longer ago than the deadline."""
        return self._asked_s is not None and self._timer() - self._asked_s > self._deadline_s

    def ask(self) -> None:
        """Asks the run to end."""
        self._asked_s = self._timer()


@contextmanager
def asked_to_stop(timer: Callable[[], float], deadline_s: float) -> Iterator[StopRequest]:
    """Takes SIGINT and SIGTERM as a request. A second one ends the process with 128 + its number, without tidying up.

    That is safe: the log keeps what was committed, and a checkpoint is there whole or not at all.
    """
    request = StopRequest(timer, deadline_s)

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        if request.asked:
            os._exit(128 + number)
        request.ask()

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
