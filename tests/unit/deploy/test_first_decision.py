"""What a start took until its first decision."""

import logging

import pytest

from agent.steps import Steps
from deploy.clocks import steps_of_this_process, wall_clock_ms
from deploy.first_decision import FirstDecision
from deploy.run import actors_of
from deploy.settings import Settings


def driver(*at_ms: int) -> Steps:
    ticks = iter(at_ms)
    return Steps(lambda: next(ticks), process_ms=10_000)


def test_it_is_told_once_with_the_steps_of_who_decided_first(caplog: pytest.LogCaptureFixture):
    steps = driver(11_000, 14_500)
    steps.reached("ray")
    steps.reached("built")
    first = FirstDecision(steps)
    assert not first.tell({}).levels
    assert (first.told, first.figures()) == (False, {})
    late = {"process": 12_000, "log": 15_500, "decided": 18_000}
    early = {"process": 12_250, "log": 16_000, "decided": 17_500}
    with caplog.at_level(logging.INFO, "streambandit.run"):
        assert first.tell({1: late, 2: early}).levels == {"start_seconds": 7.5}
    assert first.told
    (line,) = caplog.messages
    assert line.startswith("first decision 7.5 s after the start; ")
    assert line.endswith("done at: ray 1.0, runner process 2.2, built 4.5, runner log 6.0, decided 7.5")
    expected = {"ray": 1.0, "runner process": 2.25, "built": 4.5, "runner log": 6.0, "decided": 7.5}
    assert first.figures() == {"start": expected}


def test_the_steps_of_this_process_begin_before_it_could_ask():
    before_ms = wall_clock_ms()
    steps = steps_of_this_process()
    assert list(steps.at_ms) == ["process"]
    assert 0 <= before_ms - steps.at_ms["process"] < 24 * 3_600_000
    steps.reached("imported")
    assert before_ms <= steps.at_ms["imported"] <= wall_clock_ms()


def test_as_many_processes_come_up_as_there_are_actors():
    many = Settings(runner={"runners": 3}, learner={"workers": 2}, agent={"encoder": {"actors": 4}})
    assert actors_of(many) == 3 + 2 + 4
    assert actors_of(Settings(agent={"features": {"text": "off"}})) == 1
