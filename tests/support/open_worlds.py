"""A deciding loop over readers who click late, whose log fails now and then; and what is open in it."""

from pathlib import Path

import numpy as np

from agent.click_delays import ClickDelay
from agent.deciding import DecidingLoop
from agent.explore import Belief
from agent.open_book import OpenBook
from agent.settings import DelaySettings, ExploreSettings
from envs.core import Core
from envs.session import Session
from stream.errors import CommitFailedError, StreamError
from support.deterministic import CORE, Fuse, FusedLog, Life


class Undecided:
    """A `Believer` for which all candidates are alike."""

    version, explore = "0.0", ExploreSettings()

    def believe(self, observation):
        size = int(observation.counts_B.sum())
        return Belief(np.zeros(size), np.ones(size), observation.counts_B, rows=0)


class Failing(FusedLog):
    """Its next commit fails: with nothing visible, or with everything visible and only the answer lost."""

    fails = None

    def send(self, unit, progress):
        fails, self.fails = self.fails, None
        if fails != "before":
            landing = super().send(unit, progress)
        self._open = None
        return self.lose if fails else landing

    def lose(self):
        with self._arrived:
            self._rewind()
        raise CommitFailedError("transaction must be committed, and its answer heard; one of the two was not")


class OpenWorld:
    """Decides until the readers have gone; a book is told each decision."""

    def __init__(self, seed=0, impressions=300, max_open=40, settings=CORE):
        life = Life(Path(), impressions=impressions, seed=seed, log_type=Failing)
        assert isinstance(life.fuse, Fuse)
        self.log = life.log
        self.core = Core(settings, life.parts())
        self.settings = DelaySettings(max_open=max_open)
        self.book = OpenBook(self.core, self.settings, seed=7)
        session = Session(self.core, close=lambda: None, timer=lambda: 0.0)
        self.loop = DecidingLoop(session, Undecided(), seed, book=self.book)
        self.clicks: list[ClickDelay] = []

    def step(self, fails=None):
        """One micro-batch, whose commit may fail; what closed."""
        self.log.fails = fails
        try:
            resolved = self.loop.step()
        except StreamError:
            return None
        self.clicks += self.loop.take_clicks()
        return resolved

    def fresh(self):
        """What is open, read by somebody who knows nothing of it."""
        return OpenBook(self.core, self.settings, seed=7).read()


def assert_same(one, other):
    """Two sets of open rows are alike, to the bit."""
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    for name, column in one.rows.columns().items():
        np.testing.assert_array_equal(column, getattr(other.rows, name), name)
    np.testing.assert_array_equal(one.age_ms_R, other.age_ms_R)
    np.testing.assert_array_equal(one.share_R, other.share_R)
    assert one.window_ms == other.window_ms
