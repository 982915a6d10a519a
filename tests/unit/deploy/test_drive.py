"""How a run stood is kept for its report, also of a run that goes on for a year."""

from itertools import count, pairwise
from types import SimpleNamespace

import pytest

import deploy.drive
from deploy.drive import Run
from stream.meter import Tally


class Busy:
    """An algorithm that decides ten times a step."""

    runners, learner_metrics = SimpleNamespace(worlds={}, version="0.3"), {"loss": 0.5}

    def train(self):
        pass

    def take_tallies(self):
        return {1: Tally(counters={("decisions", ""): 10.0})}


@pytest.fixture
def seconds(monkeypatch):
    ticks = count(1)
    monkeypatch.setattr(deploy.drive, "timer_s", lambda: float(next(ticks)))


def test_of_a_long_run_no_more_is_kept_than_of_a_short_one_and_it_is_spread_evenly(seconds, monkeypatch):
    monkeypatch.setattr(deploy.drive, "_MOST_PROGRESS", 100)
    run = Run(Busy())
    for _ in range(10_000):
        run.step()
        assert len(run.progress) <= 100
    run.finish()
    times = [progress.t_s for progress in run.progress]
    assert (times[0], times[-1]) == (0.0, 9_999.0)
    assert len(times) > 40
    gaps = [later - earlier for earlier, later in pairwise(times[:-1])]
    assert max(gaps) < 2 * min(gaps)
