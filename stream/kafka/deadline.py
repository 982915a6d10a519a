"""One deadline for several blocking calls, also for those that know none."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from stream.errors import LogUnavailableError

T = TypeVar("T")


class Deadline:
    """A point in time that all steps of one operation share.

    >>> Deadline(10.0).run("an addition", lambda: 1 + 1)
    2
    >>> Deadline(0.01).run("a long wait", lambda: time.sleep(0.2))
    Traceback (most recent call last):
        ...
    stream.errors.LogUnavailableError: a long wait must end within 0.01 s; it did not
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._end = clock() + seconds

    def remaining_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - self._clock())

    def run(self, what: str, call: Callable[[], T]) -> T:
        """Runs a call that waits without a limit of its own in a thread, and gives it up at the deadline.

        A call that was given up goes on in its daemon thread; whatever it uses must be thrown away.

        Raises:
            LogUnavailableError: the deadline passed. What the call itself raises is raised as it is.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def target() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
                errors.append(error)

        thread = threading.Thread(target=target, daemon=True, name=f"deadline: {what}")
        thread.start()
        thread.join(self.remaining_s())
        if errors:
            raise errors[0]
        if not results:
            raise LogUnavailableError(f"{what} must end within {self._seconds:g} s; it did not")
        return results[0]
