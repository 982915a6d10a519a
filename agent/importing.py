"""Importing what takes seconds: beside something else that waits, and without the collector of garbage."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def without_collector() -> Iterator[None]:
    """What is imported inside stays for good; looking through it again and again took 15 % of the time to import it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def imported_beside(name: str) -> Iterator[None]:
    """Imports a module in a thread while the block runs, and waits for it at the end.

    It must share no modules with what the block imports: two threads that import in circles may see them half made.
    """
    thread = threading.Thread(target=import_module, args=(name,), name=f"import {name}")
    thread.start()
    try:
        yield
    finally:
        thread.join()
