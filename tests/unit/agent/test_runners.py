"""What runners are asked and what is kept of their answers: shares of the room, who has ended, who failed."""

import pytest

from agent.errors import AgentError
from agent.rllib.handover import Handover
from agent.rllib.report import RunnerReport
from agent.rllib.runners import Runners


class Group:
    """RLlib's group as far as runners are asked: who is asked answers, unless it died."""

    def __init__(self, indices, failures=None):
        self.healthy, self.failures = list(indices), failures or {}
        self.ending, self.asked, self.versions = set(), [], {}

    def foreach_env_runner(self, func, *, kwargs=None, local_env_runner, remote_worker_ids=None, timeout_seconds):
        if callable(func):
            assert not local_env_runner
            return [self.versions[index] for index in self.healthy]
        assert func == "sample"
        self.asked.append((remote_worker_ids, kwargs, timeout_seconds, local_env_runner))
        answering = [0] if local_env_runner else [index for index in remote_worker_ids if index in self.healthy]
        return [self._report(index) for index in answering]

    def healthy_env_runner_ids(self):
        return self.healthy

    def _report(self, index):
        world, failure = {"rates": index / 10}, self.failures.get(index)
        return RunnerReport(index, Handover(world=world), f"0.{index}", index in self.ending, failure, {"began": index})


def runners_of(group, count, log_tells=True):
    return Runners(group, count, timeout_s=60.0, log_tells=log_tells)


def ask(runners, room=100, lacking=100):
    reports = runners.ask(room=room, lacking=lacking, looked={1: 5})
    for report in reports:
        runners.note(report)
    return [report.index for report in reports]


def test_room_and_what_is_lacking_are_shared_by_those_that_go_on():
    group = Group([1, 2, 3])
    runners = runners_of(group, 3)
    group.ending = {2}
    assert ask(runners, room=100, lacking=100) == [1, 2, 3]
    assert ask(runners, room=100, lacking=1) == [1, 3]
    each = {"wind_down": False, "looked": {1: 5}}
    assert group.asked == [
        ([1, 2, 3], {"room": 33, "lacking": 34, **each}, 60.0, False),  # never more than there is room; enough in all
        ([1, 3], {"room": 50, "lacking": 1, **each}, 60.0, False),
    ]


def test_what_they_tell_of_themselves_is_kept():
    runners = runners_of(Group([1, 2]), 2)
    assert (runners.version, runners.worlds, runners.started) == ("0.0", {}, {})
    ask(runners)
    assert runners.version == "0.2"
    assert runners.worlds == {1: {"rates": 0.1}, 2: {"rates": 0.2}}
    assert runners.started == {1: {"began": 1}, 2: {"began": 2}}
    runners.note(RunnerReport(2, Handover(), "0.7", ended=False, failure=None))  # says nothing new of world and start
    assert (runners.version, runners.worlds[2], runners.started[2]) == ("0.7", {"rates": 0.2}, {"began": 2})


def test_once_all_have_ended_nobody_is_asked():
    group = Group([1, 2])
    runners = runners_of(group, 2)
    group.ending = {1}
    ask(runners)
    assert (runners.ended, runners.all_ended) == ({1}, False)
    group.ending = {2}
    ask(runners)
    assert runners.all_ended
    assert ask(runners) == []
    assert len(group.asked) == 2


def test_without_processes_the_drivers_own_runner_is_asked():
    group = Group([])
    runners = runners_of(group, 0)
    group.ending = {0}
    assert ask(runners, room=7, lacking=3) == [0]
    assert group.asked == [([], {"room": 7, "lacking": 3, "wind_down": False, "looked": {1: 5}}, 60.0, True)]
    assert runners.all_ended


def test_a_runner_that_failed_is_an_error_that_says_why():
    runners = runners_of(Group([1, 2], failures={2: "no broker"}), 2)
    with pytest.raises(AgentError, match="runner 2 must go on deciding; got no broker"):
        ask(runners)


@pytest.mark.parametrize(("log_tells", "ended"), [(True, {2}), (False, set())])
def test_those_that_died_have_ended_only_while_all_wind_down_and_where_the_log_tells_what_they_did(log_tells, ended):
    group = Group([1, 2])
    runners = runners_of(group, 2, log_tells=log_tells)
    group.healthy = [1]
    runners.give_up_dead()
    assert runners.ended == set()  # it may come back
    runners.wind_down()
    assert ask(runners) == [1]
    runners.give_up_dead()
    assert runners.ended == ended
    assert (group.asked[-1][1]["wind_down"], group.asked[-1][2]) == (True, 5.0)  # no long wait for an end


def test_all_of_them_must_have_a_version():
    group = Group([1, 2])
    runners = runners_of(group, 2)
    group.versions = {1: "1.4", 2: "1.4"}
    runners.require_version("1.4")
    group.versions[2] = "1.3"
    with pytest.raises(AgentError, match=r"every runner must start with version 1.4; got \['1.4', '1.3'\]"):
        runners.require_version("1.4")
    group.versions, group.healthy = {1: "1.4"}, [1]
    with pytest.raises(AgentError, match=r"version 1.4; got \['1.4'\]"):
        runners.require_version("1.4")
