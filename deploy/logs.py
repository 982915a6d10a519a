"""Where the project's own log lines go: the terminal, and the file of the run."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = "streambandit"
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Terminal(logging.Handler):
    """Writes to what is standard error at the moment, so that a live table can lead lines past itself."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def log_to_terminal() -> None:
    """Sends the project's lines of level INFO and above to standard error, once per process.

    Where somebody has set up logging already, the lines go there.
    """
    logger = logging.getLogger(_ROOT)
    logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = _Terminal()
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """Sends the lines to the terminal and into a file, which is closed with the block."""
    log_to_terminal()
    logger, handler = logging.getLogger(_ROOT), logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
