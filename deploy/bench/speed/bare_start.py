"""What no start can do without: a process that imports torch and RLlib and starts Ray, and an actor that does so too.

`python -m deploy.bench.speed.bare_start` does it one after another, as the libraries' examples do, and prints a line.
"""

import importlib
import os
import sys
from typing import Any

UP = "up"
_MODULES = ("torch", "ray.rllib.algorithms.algorithm")


class Importer:
    """An actor that is there once it has imported what a runner needs."""

    def __init__(self) -> None:
        for name in _MODULES:
            importlib.import_module(name)

    def ready(self) -> bool:
        """Says that it is there."""
        return True


def main() -> int:
    """Imports, starts, waits for the actor."""
    for name in _MODULES:
        importlib.import_module(name)
    import ray  # noqa: PLC0415 - its import is what is measured

    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray.init(include_dashboard=False, logging_level="error", log_to_driver=False)
    actor: Any = ray.remote(num_cpus=0)(Importer).remote()
    ray.get(actor.ready.remote())
    print(UP, flush=True)  # noqa: T201 - whoever measures waits for it
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
