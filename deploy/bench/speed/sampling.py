"""Where a process's time goes, by sampling: every few milliseconds of processor time the call stack is looked at.

Nothing is slowed down or skewed by counting calls. The handler of the timer's signal runs between two instructions of
the main thread, so work done in C counts for the function that called it, and what other threads of the process do
counts for what the main thread does or waits for meanwhile.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Place = tuple[str, str]
"""The end of a file's path, and the name of a function in it."""

OTHER = "other"
_EVERY_S = 0.001  # the kernel may look at the clock less often; then there are fewer samples


class Sampler:
    """Counts samples by stage; the innermost function of the main thread's stack that is a stage's counts.

    Args:
        stages: name of the stage of each place.

    Attributes:
        samples: by stage.
        spent_s: processor time of the process while sampling.
    """

    def __init__(self, stages: Mapping[Place, str]) -> None:
        self._stages: dict[str, list[tuple[str, str]]] = {}
        for (file, function), stage in stages.items():
            self._stages.setdefault(function, []).append((file, stage))
        self.samples: Counter[str] = Counter()
        self.spent_s = 0.0

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Samples what the block does; to be used in the main thread, and for long.

        The timer's first tick comes at a fixed time after the start, so many short blocks would show the same part.
        """
        before = signal.signal(signal.SIGPROF, self._sample)
        started_s = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            self.spent_s += time.process_time() - started_s
            signal.signal(signal.SIGPROF, before)

    def seconds(self) -> dict[str, float]:
        """Processor time of each stage: that of the process, shared out by the samples."""
        total = max(sum(self.samples.values()), 1)
        return {stage: self.spent_s * count / total for stage, count in self.samples.items()}

    def _sample(self, _: int, frame: FrameType | None) -> None:
        self.samples[self._stage_of(frame)] += 1

    def _stage_of(self, frame: FrameType | None) -> str:
        while frame is not None:
            for file, stage in self._stages.get(frame.f_code.co_name, ()):
                if frame.f_code.co_filename.endswith(file):
                    return stage
            frame = frame.f_back
        return OTHER
