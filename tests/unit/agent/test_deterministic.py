"""The deterministic loop: what it needs, what its decisions read, and how it goes on after a failed commit."""

import numpy as np
import pytest
from support.deterministic import AGENT, CORE, LAYOUT, Life, settled
from support.open_worlds import Failing

from agent.deterministic import DeterministicLoop
from agent.errors import AgentError, CheckpointError
from agent.open_book import OpenBook
from agent.policy import Policy
from agent.settings import DelaySettings
from envs.core import Core
from envs.session import Session
from stream.errors import CommitFailedError


def steps(loop, count):
    for _ in range(count):
        loop.step()
    return loop


def test_without_partitions_or_a_checkpoint_store_it_cannot_know_the_order(tmp_path):
    life = Life(tmp_path)
    life.log._assignment = frozenset()
    session = Session(Core(CORE, life.parts()), close=lambda: None, timer=lambda: 0.0)
    with pytest.raises(AgentError, match="deterministic loop must know its partitions"):
        DeterministicLoop(session, Policy(AGENT, LAYOUT), run_seed=0)


@pytest.mark.parametrize("fails", ["before", "after"])
def test_after_a_failed_commit_it_learns_each_outcome_once_whether_the_commit_landed_or_not(tmp_path, fails):
    life = Life(tmp_path, impressions=300, log_type=Failing)
    loop = steps(life.loop(), 12)
    life.log.fails = fails
    with pytest.raises(CommitFailedError):
        steps(loop, 1)
    loop.run()
    assert loop.fold.learned.outcomes > 200
    assert settled(loop.learning, loop.fold) == settled(*life.folded(int(loop.learning.policy.updates)))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    life = Life(tmp_path, impressions=300)
    life.live()
    life.agent = life.agent.model_copy(update={"expert": AGENT.expert.model_copy(update={"rank": 3})})
    with pytest.raises(CheckpointError, match="rank"):
        life.loop()


def test_decisions_read_what_is_open_only_where_that_is_on(tmp_path):
    on = Life(tmp_path / "on", impressions=300)
    off = Life(tmp_path / "off", impressions=300, delay=DelaySettings(open_decisions=False))
    on.live()
    off.live()
    first = [one == other for one, other in zip(on.decisions(), off.decisions(), strict=True)]
    assert 30 < sum(first) < 290  # alike until something is learned


def test_a_policy_that_is_not_to_learn_reads_nothing_that_is_open(tmp_path):
    on = Life(tmp_path / "on", impressions=300)
    off = Life(tmp_path / "off", impressions=300, delay=DelaySettings(open_decisions=False))
    for life in (on, off):
        life.loop().run(learn=False)
    assert on.decisions() == off.decisions()


def test_the_book_holds_what_is_open_as_a_fresh_one_would(tmp_path):
    life = Life(tmp_path, impressions=400)
    loop = life.loop()
    core = loop._deciding._session.core
    book = OpenBook(core, DelaySettings(max_open=20), seed=0)
    sizes = []
    for _ in range(30):
        loop.step()
        found, fresh = book.read(), OpenBook(core, DelaySettings(max_open=20), seed=0).read()
        sizes.append((core.open_decisions, len(found.rows)))
        for name, column in found.rows.columns().items():
            np.testing.assert_array_equal(column, getattr(fresh.rows, name))
        np.testing.assert_array_equal(found.age_ms_R, fresh.age_ms_R)
        np.testing.assert_array_equal(found.share_R, fresh.share_R)
        assert found.share_R.sum() == pytest.approx(2 * core.open_decisions)  # of two slots each
        assert found.age_ms_R.max() <= CORE.attribution.window_ms
    assert max(sizes) > (60, 40)
    assert max(rows for _, rows in sizes) == 40
    assert loop.learning.policy.rows > 0
