"""Whenever a deterministic agent dies, those that follow it decide and learn what it would have."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.deterministic import Life, settled

from agent.deterministic import DeterministicLoop
from agent.restoring import outcomes_behind
from stream.events import Recommendation

LAST = 8  # moments: a crash there can leave the last clicks for a step of their own, which then ends elsewhere
GENERATE = (Phase.explicit, Phase.reuse, Phase.generate)  # a life takes seconds: to shrink would take for ever


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    life = Life(tmp_path_factory.mktemp("undisturbed"))
    return life, life.live()


def test_the_undisturbed_run_has_refreshed_dropped_rows_learned_delays_and_left_much_open(undisturbed):
    life, loop = undisturbed
    state = loop.learning.get_state()
    assert len(life.decisions()) == len(life.outcomes()) == 650
    assert int(loop.learning.policy.rows) == loop.fold.learned.rows > 1_200  # three refreshes, 50 updates
    assert len(state["reward_R"]) == 1_024
    assert len(state["delay_ms_C"]) == 40
    assert {partition: offset > 100 for partition, offset in loop.fold.positions.items()} == {0: True, 1: True}


@given(data=st.data())
@settings(max_examples=5, deadline=None, phases=GENERATE)
def test_after_any_crashes_decisions_and_settled_state_are_those_of_a_run_without(undisturbed, data):
    life, loop = undisturbed
    crashes = data.draw(st.sets(st.integers(1, life.fuse.moments - LAST), min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        other = Life(Path(folder), crashes)
        last = other.live()
        assert other.fuse.burnt == len(crashes) == other.born - 1
        assert other.decisions() == life.decisions()
        assert other.outcomes() == life.outcomes()
        updates = int(last.learning.policy.updates)
        # How far all partitions have closed in the end may differ, and with it whether a last update was due.
        assert abs(updates - int(loop.learning.policy.updates)) <= 1
        assert settled(last.learning, last.fold) == settled(*life.folded(updates))


def test_the_undisturbed_run_is_a_fold_over_its_own_outcomes(undisturbed):
    life, loop = undisturbed
    assert settled(*life.folded(int(loop.learning.policy.updates))) == settled(loop.learning, loop.fold)


def test_each_life_begins_an_epoch_that_no_decision_has_had(tmp_path):
    life = Life(tmp_path, crashes=(60, 61, 150))
    life.live()
    epochs = [int(each.policy_version.split(".")[0]) for each in life.published("recommendations", Recommendation)]
    assert sorted(set(epochs)) == [0, 1, 2]  # of four lives one ended before it decided
    assert life.born == 4


class Forgetful(DeterministicLoop):
    """Takes what was committed meanwhile for learned."""

    def catch_up(self):
        for _ in outcomes_behind(self._parts, self.fold.order):
            pass
        self._caught_up = True


class Repeating(DeterministicLoop):
    """Learns one of the outcomes that it finds after a restart twice."""

    def catch_up(self):
        before = dict(self.fold.order.following)
        for behind in outcomes_behind(self._parts, self.fold.order):
            self.fold.order.add(behind.outcomes[:1])
            self.fold.order.following |= before
            self.fold.take(*behind)
        self._update()
        self._caught_up = True


@pytest.mark.parametrize("broken", [Forgetful, Repeating])
def test_an_agent_that_leaves_out_or_repeats_what_it_missed_is_found_out(tmp_path, broken):
    life = Life(tmp_path, crashes=(120, 150))
    last = life.live(broken)
    found, expected = settled(last.learning, last.fold), settled(*life.folded(int(last.learning.policy.updates)))
    assert found["expert.precision"] != expected["expert.precision"]
    assert found["learned"] != expected["learned"]
