"""The learner's thread goes behind others, and only that thread."""

import os
import sys
import threading

import pytest

from deploy.priority import giving_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def in_a_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(30)
    return found[0]


def test_only_the_thread_that_gives_way_and_what_it_starts_get_nicer():
    def work():
        before = niceness()
        with giving_way(before + 3):
            return before, niceness(), in_a_thread(niceness)

    own = niceness()
    before, within, started_within = in_a_thread(work)
    assert (within, started_within) == (before + 3, before + 3)
    assert niceness() == own


def test_a_thread_that_is_nicer_already_stays_so():
    def work():
        with giving_way(5), giving_way(2):
            return niceness()

    assert in_a_thread(work) >= 5
