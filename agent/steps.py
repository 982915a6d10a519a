"""When a process reached each step of its start."""

from collections.abc import Callable


class Steps:
    """Times by step, in the order in which they were reached; of a step that is reached again the first time counts.

    Args:
        clock: milliseconds since the epoch.
        process_ms: when the process was started, by the same clock.

    >>> ticks = iter([350, 900])
    >>> steps = Steps(lambda: next(ticks), process_ms=100)
    >>> steps.reached("imported")
    >>> steps.reached("decided")
    >>> steps.reached("decided")
    >>> steps.at_ms
    {'process': 100, 'imported': 350, 'decided': 900}
    """

    def __init__(self, clock: Callable[[], int], process_ms: int) -> None:
        self._clock = clock
        self.at_ms = {"process": process_ms}

    def reached(self, step: str) -> None:
        """Notes the time, the first time."""
        if step not in self.at_ms:
            self.at_ms[step] = self._clock()
