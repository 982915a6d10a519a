"""Prints who may do what on a secured broker, tried for real: `PYTHONPATH=tests python tests/chaos/security.py`."""

import tempfile
from pathlib import Path

from support.rights_matrix import matrix, prepare, table
from support.secured import secured_broker


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, secured_broker(Path(folder)) as secured:
        prepare(secured)
        print(table(matrix(secured)))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
