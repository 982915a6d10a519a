"""When a process reached each step of its start."""

from collections.abc import Callable, Mapping


class Steps:
    """Times by step, in the order in which they were reached; of a step that is reached again the first time counts.

    Args:
        clock: milliseconds since the epoch; where there is none, nothing is noted.
        process_ms: when the process was started, by the same clock.

    >>> ticks = iter([350, 900])
    >>> steps = Steps(lambda: next(ticks), process_ms=100)
    >>> steps.reached("imported")
    >>> steps.reached("decided")
    >>> steps.reached("decided")
    >>> steps.at_ms
    {'process': 100, 'imported': 350, 'decided': 900}
    >>> len(steps.take("decided")), len(steps.take("decided"))
    (3, 0)
    """

    def __init__(self, clock: Callable[[], int] | None = None, process_ms: int = 0) -> None:
        self._clock = clock
        self._taken = False
        self.at_ms = {"process": process_ms}

    def reached(self, step: str) -> None:
        """Notes the time, the first time."""
        if self._clock is not None and step not in self.at_ms:
            self.at_ms[step] = self._clock()

    def take(self, last: str) -> Mapping[str, int]:
        """All times, once, when the last step is reached; before that and afterwards none."""
        if self._taken or last not in self.at_ms:
            return {}
        self._taken = True
        return dict(self.at_ms)
