"""Looks at what is open: only new rows are brought, rewards follow the clicks, what does not fit is left out."""

import numpy as np
import pytest
from support.core_bench import T0_MS, WINDOW, Bench, click, first_of, impression, tick
from support.open_worlds import OpenWorld

from agent.errors import EncoderError
from agent.open_book import OpenBook
from agent.open_look import OpenTable
from agent.settings import DelaySettings
from envs.errors import FeatureError
from envs.reward import RewardSettings
from stream.identity import Pseudonyms


def book_of(bench, max_open=100):
    return OpenBook(bench.core, DelaySettings(max_open=max_open), seed=0)


def step(bench, book, *events):
    """One micro-batch of a policy that always shows the first candidates; the book is told."""
    bench.append(*events)
    impressions = bench.core.poll(100)
    observation = bench.core.observe(impressions) if impressions else None
    decisions = [first_of(each) for each in impressions]
    bench.core.publish(decisions)
    if observation is not None:
        book.note(impressions, observation, decisions)


def counted(book):
    """How many decisions a book reads from the core from now on."""
    reads, build = [], book._build

    def building(found):
        reads.extend(found)
        return build(found)

    book._build = building
    return reads


def test_a_row_is_brought_once_and_not_read_where_it_was_noted():
    world, table = OpenWorld(max_open=10_000), OpenTable()
    reads, brought = counted(world.book), 0
    for number in range(30):
        world.step()
        if number % 3 == 2:
            look = world.book.look(table.number)
            brought += 0 if look.new is None else len(look.new)
            assert table.take(look)
    closed = int(world.core.parts.meter.total("outcomes"))
    assert closed > 0
    assert world.core.open_decisions * 2 <= brought <= (world.core.open_decisions + closed) * 2
    assert reads == []


def test_where_nobody_looks_only_the_last_decisions_are_noted():
    world = OpenWorld(max_open=40)
    for _ in range(15):
        world.step()
    assert 24 < len(world.book._notes) <= 40


def test_a_reward_is_what_the_clicks_so_far_give():
    bench = Bench()
    book = book_of(bench)
    step(bench, book, impression("i1"), impression("i2", slots=2), impression("i3"))
    assert book.read().rows.reward_R.tolist() == [0, 0, 0, 0]
    step(bench, book, click("i2", item="b"), click("i3"))
    assert book.read().rows.reward_R.tolist() == [0, 0, 1, 1]
    step(bench, book, click("i2", item="a", ts_ms=T0_MS + 200))
    assert book.read().rows.reward_R.tolist() == [0, 1, 1, 1]
    step(bench, book, tick(T0_MS + WINDOW.window_ms))
    assert book.read() is None


def test_a_reward_that_can_fall_is_computed_again():
    bench = Bench(reward=RewardSettings(aggregation="last", kinds={"click": 1.0, "dislike": -1.0}))
    book = book_of(bench)
    step(bench, book, impression("i1"), click("i1"))
    assert book.read().rows.reward_R.tolist() == [1]
    step(bench, book, click("i1", kind="dislike", ts_ms=T0_MS + 300))
    assert book.read().rows.reward_R.tolist() == [0]


def test_ages_reach_up_to_the_committed_watermark():
    bench = Bench()
    book = book_of(bench)
    step(bench, book, impression("i1"), impression("i2", ts_ms=T0_MS + 300))
    step(bench, book, tick(T0_MS + 700))
    assert book.read().age_ms_R.tolist() == [700, 400]


def test_users_with_pseudonyms_are_the_same_in_open_and_in_closed_rows():
    class Hidden(Bench):
        pseudonyms = Pseudonyms(b"key")

    bench = Hidden()
    book = book_of(bench)
    step(bench, book, impression("i1"))
    opened = book.read().rows
    step(bench, book, tick(T0_MS + WINDOW.window_ms))
    closed = bench.core.parts.featurizer.rows(bench.outcomes())
    assert (len(closed), opened.user_R.tolist()) == (1, closed.user_R.tolist())


def test_what_does_not_fit_the_features_is_left_out():
    bench = Bench()
    book = book_of(bench)
    step(bench, book, impression("i1"), impression("i2"), impression("i3"))
    featurizer, book = bench.core.parts.featurizer, book_of(bench)
    rows = featurizer.rows

    def picky(outcomes):
        if any(outcome.impression.impression_id == "i2" for outcome in outcomes):
            raise FeatureError("features must have 2 values; got 3")
        return rows(outcomes)

    featurizer.rows = picky
    assert len(book.read().rows) == 2


def test_after_an_encoder_that_did_not_answer_all_is_told_anew():
    bench = Bench()
    book, table = book_of(bench), OpenTable()
    step(bench, book, impression("i1"))
    table.take(book.look(table.number))
    bench.append(impression("i2"))
    bench.step()  # not noted, so it is read
    featurizer, rows = bench.core.parts.featurizer, bench.core.parts.featurizer.rows

    def away(outcomes):
        raise EncoderError("encoder must answer; it did not")

    featurizer.rows = away
    with pytest.raises(EncoderError):
        book.look(table.number)
    featurizer.rows = rows
    look = book.look(table.number)
    assert (look.base, len(look.new), table.take(look)) == (0, 2, True)
    np.testing.assert_array_equal(table.rows({}).rows.candidate_RD, book_of(bench).read().rows.candidate_RD)
