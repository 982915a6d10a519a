"""Slates on their way through the loop: a click on one slot is that slot's reward, and open rows tell the same.

The log, the core and the deciding loop are the real ones; beliefs move with resemblance, so later slots are drawn anew.
"""

import numpy as np
import pytest
from support.core_bench import CODEC, T0_MS, Bench, candidates, click, first_of, impression, tick

from agent.belief import Belief, Resemblance
from agent.deciding import DecidingLoop, Ending
from agent.draw import draw_slate
from agent.open_book import OpenBook
from agent.open_notes import rows_shown
from agent.settings import DelaySettings, ExploreSettings
from envs.keys import keys_of
from envs.session import Session
from stream.events import Recommendation


class Resembling:
    """A `Believer` whose candidates change each other."""

    version, explore = "3.4", ExploreSettings(floor=0.5)

    def believe(self, observation):
        zeros_N = np.zeros(len(observation.candidates_ND))
        change = Resemblance(observation.candidates_ND, np.array([-1.0, -1.0, -1.0]))
        return Belief(zeros_N, zeros_N, observation.counts_B, rows=0, resemblance=change)


def shown_slate(bench, slots=3):
    """A loop that has shown one slate, its book, and what was shown."""
    session = Session(bench.core, close=lambda: None, timer=lambda: 0.0)
    book = OpenBook(bench.core, DelaySettings(), 0)
    loop = DecidingLoop(session, Resembling(), run_seed=0, ending=Ending(), book=book)
    bench.append(impression(slots=slots, candidates=candidates("a", "b", "c", "d", "e")))
    loop.step()
    (shown,) = bench.published()
    return loop, book, shown


def test_a_click_on_one_slot_credits_that_slot_alone_open_and_closed():
    bench = Bench()
    loop, book, shown = shown_slate(bench)
    clicked = shown.slate[2].item_id
    bench.append(click(item=clicked))
    loop.step()
    open_rows = book.read()
    assert open_rows.rows.reward_R.tolist() == [0.0, 0.0, 1.0]
    bench.append(tick(T0_MS + 1_001))
    resolved = loop.step() or loop.step()
    rows = resolved.rows
    assert rows.reward_R.tolist() == [0.0, 0.0, 1.0]
    assert rows.slot_R.tolist() == [0, 1, 2]
    assert rows.item_R.tolist() == keys_of([slot.item_id for slot in shown.slate]).tolist()
    assert rows.propensity_R.tolist() == [slot.propensity for slot in shown.slate]
    assert np.isnan(open_rows.rows.exploring_R3).all()  # what exploring cost is told at the close
    assert np.isfinite(rows.exploring_R3[0]).all()
    for name, column in open_rows.rows.columns().items():
        if name == "exploring_R3":
            continue
        np.testing.assert_array_equal(column, getattr(rows, name), err_msg=name)
    (outcome,) = bench.outcomes()
    assert outcome.rewards == (0.0, 0.0, 1.0)


def test_the_published_slate_can_be_drawn_again():
    _, _, shown = shown_slate(Bench())
    assert len(shown.slot_probabilities) == 2
    indices, propensities = draw_slate(shown.probabilities, 3, shown.seed, shown.slot_probabilities)
    assert ["abcde"[index] for index in indices] == [slot.item_id for slot in shown.slate]
    assert propensities == [slot.propensity for slot in shown.slate]


def test_above_the_bound_no_probabilities_are_published():
    _, _, shown = shown_slate(Bench(max_probabilities=4))
    assert (shown.probabilities, shown.slot_probabilities) == (None, None)
    assert shown.slate_propensity == pytest.approx(np.prod([slot.propensity for slot in shown.slate]))


def test_rows_of_a_decision_resemble_as_those_of_its_outcome():
    bench = Bench()
    bench.append(impression(slots=3), impression("i2", slots=1), impression("i3", slots=2))
    impressions = bench.core.poll(100)
    observation = bench.core.observe(impressions)
    decisions = [first_of(each) for each in impressions]
    noted = rows_shown(observation, decisions)
    bench.core.publish(decisions)
    closed = bench.core.poll(100) or bench.core.publish([], final=True)
    rows = bench.core.parts.featurizer.rows([each.outcome for each in closed])
    assert noted.alike_R.tolist() == rows.alike_R.tolist()
    # candidates a, b, c have the vectors 0, 1, 2: nothing resembles 0, and 2 points where 1 does
    assert noted.alike_R.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert noted.slot_R.tolist() == [0, 1, 2, 0, 0, 1]


def test_an_older_record_without_later_slots_is_read():
    _, _, shown = shown_slate(Bench())
    value = CODEC.encode(shown).replace(b'"slot_probabilities"', b'"unknown"')
    assert CODEC.decode(value, Recommendation, CODEC.headers).slot_probabilities is None
