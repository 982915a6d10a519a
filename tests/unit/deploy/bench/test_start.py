"""The benchmark of a start: what it says of steps and of processes."""

import subprocess
import sys

import pytest

from deploy.bench.speed.process_tree import processor_seconds
from deploy.bench.speed.start import GOAL_S, Start, processors_of, steps_of
from deploy.bytecode import compiled

BUSY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()  # gcs_server"], stdin=subprocess.PIPE)
while time.process_time() < 0.2:
    pass
print("busy", flush=True)
sys.stdin.read()
child.communicate()
"""


def test_processor_time_is_that_of_a_process_and_of_all_below_it():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"busy\n"
        found = processor_seconds(process.pid)
        process.stdin.close()
        assert process.wait(30) == 0
    assert set(found) == {"gcs_server"}  # the text of both command lines names it, so they are one entry
    assert 0.1 <= found["gcs_server"] < 10.0


def test_who_has_ended_took_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(30)
    assert processor_seconds(process.pid) == {}


def test_steps_and_processes_are_told_by_their_medians_over_starts():
    starts = [
        Start(seconds, {"ray": ray_s, "decided": seconds - 0.5}, {"deploy.cli": 3.0, "others": spent_s})
        for seconds, ray_s, spent_s in ((9.0, 4.0, 1.0), (12.0, 8.0, 2.0), (8.0, 3.0, 6.0))
    ]
    assert list(steps_of(starts)) == ["done after   4.0 s: ray", "done after   8.5 s: decided"]
    assert list(processors_of(starts)) == [
        "processor time   3.0 s: deploy.cli",
        "processor time   2.0 s: others",
        "processor time   5.0 s: all",
    ]
    assert GOAL_S == 15.0


def test_a_process_that_only_one_start_had_counts_as_nothing_in_the_others():
    starts = [Start(1.0, {}, {"deploy.cli": 1.0}), Start(1.0, {}, {"deploy.cli": 1.0, "others": 4.0})]
    assert list(processors_of(starts))[1] == "processor time   2.0 s: others"


@pytest.mark.parametrize("package", ["json", "no_such_package"])
def test_bytecode_is_looked_for_where_python_would(tmp_path, monkeypatch, package):
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path))
    assert compiled(package) is (package == "no_such_package")
