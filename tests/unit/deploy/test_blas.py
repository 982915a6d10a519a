"""Numpy's linear algebra in the processes of both command lines: one thread, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

COUNT = """
import {line} as cli
def threads():
    import os, numpy
    numpy.ones((500, 500)) @ numpy.ones((500, 500))
    print(len(os.listdir("/proc/self/task")))
cli.app = threads
cli.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted by what Linux tells")
@pytest.mark.parametrize("line", ["deploy.cli", "deploy.bench.__main__"])
@pytest.mark.parametrize(("said", "threads"), [(None, 1), ("2", 2)])
def test_a_command_works_with_one_thread_unless_told_otherwise(said, threads, line):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {"OPENBLAS_NUM_THREADS": said} if said else {}
    count = [sys.executable, "-c", COUNT.format(line=line)]
    found = subprocess.run(count, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert int(found.stdout) == min(threads, os.cpu_count() or 1)
