"""Runs a broker in the foreground until it is interrupted: `python -m deploy.broker`.

Its address is printed and stands in `.broker/address` while it runs.
"""

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from deploy.broker.broker import start_broker
from deploy.broker.errors import BrokerError
from deploy.broker.jars import HOME


def main() -> int:
    """Starts, says where, waits for SIGINT or SIGTERM, cleans up."""
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        with start_broker() as broker:
            address = HOME / "address"
            _write_whole(address, broker.bootstrap)
            print(f"Kafka is up at {broker.bootstrap} (process {broker.pid}); stop it with Ctrl-C", flush=True)  # noqa: T201
            while not stopped.wait(1.0) and broker.is_running():
                pass
            address.unlink(missing_ok=True)
            return 0 if stopped.is_set() else 1
    except BrokerError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


def _write_whole(path: Path, text: str) -> None:
    """Readers see the old text or the new one, never a part."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


if __name__ == "__main__":
    sys.exit(main())
