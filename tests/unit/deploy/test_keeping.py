"""When checkpoints are written, what happens where they cannot be, and which log they belong to."""

import threading

import pytest
from support.agents import agent_of, outcomes_of
from support.agents import impression as impression_of

from agent.checkpoint import Checkpoint
from agent.errors import CheckpointError, SnapshotError
from agent.learned import Learned
from deploy.keeping import CheckpointKeeper
from deploy.resume import _require_of_log
from deploy.settings import CheckpointSettings
from stream.meter import Tally


class Timer:
    """Seconds that pass only when a test says so."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture(scope="module")
def checkpoint():
    agent = agent_of("numeric")
    agent.learn(outcomes_of(agent, [impression_of("numeric", number) for number in range(3)]))
    return Checkpoint.of(agent._learning, {0: 3}, Learned().plus([(0, 2)], rows=1))


class Kept:
    """A keeper over a folder, its clock and its counts."""

    def __init__(self, folder, **settings):
        self.timer, self.meter = Timer(), Tally()
        chosen = CheckpointSettings(folder=folder, every_s=10, **settings)
        self.keeper = CheckpointKeeper(chosen, "a group/with a slash", self.timer, self.meter)

    def at(self, now_s, gather):
        """What a step of the driver at this time does; waits for what is written beside it."""
        self.timer.now_s = now_s
        self.keeper.keep(gather)
        if self.keeper._writing is not None:
            self.keeper._writing.exception(30)

    @property
    def numbers(self):
        return self.keeper.folders.numbers()


def test_one_is_saved_whenever_the_time_has_passed(checkpoint, tmp_path):
    kept = Kept(tmp_path)
    found = []
    for now_s in (0, 9.9, 10, 19.9, 20, 31):
        kept.at(now_s, lambda: checkpoint)
        found.append(kept.numbers)
    assert found == [[], [], [1], [1], [1, 2], [1, 2, 3]]
    assert kept.meter.levels["checkpoint_age_seconds"] == 11


def test_one_at_a_time_is_written_and_nobody_waits_for_it(checkpoint, tmp_path, monkeypatch):
    kept, go = Kept(tmp_path), threading.Event()
    save = kept.keeper.folders.save
    monkeypatch.setattr(kept.keeper.folders, "save", lambda *given: (go.wait(30), save(*given)))
    gathered = []
    for now_s in (10, 20, 30):
        kept.timer.now_s = now_s
        kept.keeper.keep(lambda: gathered.append(checkpoint) or checkpoint)
    assert len(gathered) == 1  # the slow disk holds up neither the driver nor the next in line
    go.set()
    kept.keeper.close()
    assert kept.numbers == [1]


def test_the_newest_comes_back_and_numbers_go_on(checkpoint, tmp_path):
    first = Kept(tmp_path)
    assert first.keeper.newest() is None
    assert [first.keeper.save(checkpoint), first.keeper.save(checkpoint)] == [1, 2]
    again = Kept(tmp_path)
    number, found = again.keeper.newest()
    assert (number, found.state) == (2, checkpoint.state)
    assert again.keeper.save(checkpoint) == 3


def test_so_many_stay(checkpoint, tmp_path):
    kept = Kept(tmp_path, keep=2)
    for _ in range(4):
        kept.keeper.save(checkpoint)
    assert kept.numbers == [3, 4]


def test_a_disk_that_refuses_is_counted_and_tried_again(checkpoint, tmp_path, monkeypatch):
    kept = Kept(tmp_path)

    def refuse(*_):
        raise SnapshotError("checkpoint 1 must be written; got No space left on device")

    with monkeypatch.context() as full:
        full.setattr(kept.keeper.folders, "save", refuse)
        kept.at(10, lambda: checkpoint)
        with pytest.raises(SnapshotError):
            kept.keeper.save(checkpoint)  # where a run must not go on without one
    assert kept.meter.total("checkpoint_errors") == 1
    kept.at(20, lambda: checkpoint)
    kept.at(20, lambda: checkpoint)
    assert len(kept.numbers) == 1
    assert kept.meter.total("checkpoints") == 1


@pytest.mark.parametrize("ranges", [{0: (0, 5)}, {}])
def test_a_checkpoint_of_another_log_is_an_error_that_says_what_to_do(ranges):
    with pytest.raises(CheckpointError, match=r"outcomes\[0\]@6.*remove the group's checkpoints"):
        _require_of_log(3, {0: 6}, ranges)
