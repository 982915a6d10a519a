"""Which of the processes on a machine goes first: decisions wait for readers' patience, learning for nothing."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def giving_way(niceness: int) -> Iterator[None]:
    """Lets this thread, and those that it starts meanwhile, work behind others where a machine is busy.

    A thread has a niceness of its own only on Linux; elsewhere nothing changes. Afterwards it is as before where the
    system allows that: only root may take niceness back.

    Args:
        niceness: 0 to 19; one that is higher already stays.
    """
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(before, niceness))
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, before)
