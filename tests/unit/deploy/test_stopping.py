"""One signal asks a process to end, a second one ends it; seen from outside, on a process of its own."""

import signal
import subprocess
import sys

import pytest

from deploy.stopping import StopRequest

PROGRAM = """
import time
from deploy.stopping import asked_to_stop
with asked_to_stop(time.monotonic, 60.0) as stop:
    print("ready", flush=True)
    while not stop.asked:
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60 if {dwells} else 0)
print("ended", flush=True)
"""


def started(dwells):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(dwells=dwells)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_lets_it_end_in_order(number):
    with started(dwells=False) as process:
        process.send_signal(number)
        assert process.stdout.read() == "asked\nended\n"
        assert process.wait(30) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(number, code):
    with started(dwells=True) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(number)
        assert process.wait(30) == code
        assert process.stdout.read() == ""


def test_a_request_is_overdue_only_past_its_deadline():
    now = [100.0]
    stop = StopRequest(lambda: now[0], deadline_s=30.0)
    now[0] = 1_000.0
    assert not stop.asked
    assert not stop.overdue
    stop.ask()
    now[0] = 1_030.0
    assert stop.asked
    assert not stop.overdue
    now[0] = 1_030.1
    assert stop.overdue
