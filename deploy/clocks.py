"""The only place that reads the machine's clocks; everything else is handed one of these."""

import time


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def stopped_clock_ms() -> int:
    """A clock that stands, for worlds whose only time is that of their events."""
    return 0


def timer_s() -> float:
    """Seconds from an arbitrary start, for durations."""
    return time.perf_counter()
