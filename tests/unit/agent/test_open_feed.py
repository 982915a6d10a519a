"""When a runner looks at its open decisions: only when asked, one look at a time, for a small part of its time."""

import pytest
from support.core_bench import WINDOW, Bench

from agent.errors import EncoderError
from agent.rllib.open_feed import OpenFeed, open_feed, share_of
from agent.settings import DelaySettings
from envs.session import Session


class Book:
    """Stands for an open book whose looks take a while; it may fail."""

    def __init__(self):
        self.now_s, self.asked, self.fails = 100.0, [], False

    def look(self, known, most_read):
        assert most_read > 0
        self.now_s += 0.5
        self.asked.append(known)
        if self.fails:
            raise EncoderError("encoder must answer; it did not")
        return f"look {len(self.asked)}"


def fed():
    book = Book()
    return book, OpenFeed(book, lambda: book.now_s)


def test_it_looks_only_when_asked_and_once():
    book, feed = fed()
    assert feed.look() is None
    feed.ask(3)
    assert (feed.look(), book.asked) == ("look 1", [3])
    book.now_s += 1_000
    assert feed.look() is None


def test_the_next_one_waits_until_the_last_has_left():
    book, feed = fed()
    feed.ask(0)
    feed.look()
    book.now_s += 1_000
    feed.ask(0)
    assert feed.look() is None
    feed.taken()
    assert feed.look() == "look 2"


def test_it_rests_for_most_of_the_time():
    book, feed = fed()
    feed.ask(0)
    feed.look()
    feed.taken()
    feed.ask(1)
    book.now_s += 9.9
    assert feed.look() is None
    book.now_s += 0.2
    assert feed.look() == "look 2"


def test_an_encoder_that_does_not_answer_costs_a_look_and_no_more():
    book, feed = fed()
    book.fails = True
    feed.ask(0)
    assert feed.look() is None
    book.fails, book.now_s = False, book.now_s + 1_000
    assert feed.look() is None  # it has to be asked again
    feed.ask(0)
    assert feed.look() == "look 2"


def test_runners_share_what_is_read():
    assert share_of(DelaySettings(max_open=100), 3).max_open == 33
    assert share_of(DelaySettings(max_open=100), 0).max_open == 100
    assert share_of(DelaySettings(max_open=3), 8).max_open == 2


@pytest.mark.parametrize(
    ("window_ms", "wanted", "fed"), [(1_000, True, True), (250, True, False), (1_000, False, False)]
)
def test_there_is_none_where_it_would_be_of_no_use(window_ms, wanted, fed):
    bench = Bench(attribution=WINDOW.model_copy(update={"window_ms": window_ms}))
    session = Session(bench.core, close=lambda: None, timer=lambda: 0.0)
    assert (open_feed(session, DelaySettings(open_decisions=wanted), seed=0) is not None) == fed
