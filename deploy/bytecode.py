"""Whether packages are compiled: without, every process of every start compiles what it imports."""

import importlib.util
from pathlib import Path


def compiled(package: str = "torch") -> bool:
    """Whether a package's bytecode lies where Python looks for it; of one that is not installed nothing is to be done.

    >>> compiled("no_such_package")
    True
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return True
    return Path(importlib.util.cache_from_source(spec.origin)).exists()
