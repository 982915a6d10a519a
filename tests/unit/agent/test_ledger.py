"""The learner's books: repeats are refused, gaps are read from the log first, and no outcome is split."""

import pytest
from support.histories import Outcomes, handed, resolved, rows_of

from agent.errors import EncoderError
from agent.learned import Learned, places_of
from agent.ledger import Ledger
from agent.resolved import Span
from stream.errors import LogUnavailableError
from stream.meter import Tally


class Books:
    """A ledger over a log, which learns whatever is due."""

    def __init__(self, history=None, to_rows=rows_of, restored=True):
        self.meter, self.order = Tally(), []
        self.ledger = Ledger(self.meter, history, to_rows)
        if restored:
            self.ledger.restore({}, Learned())

    def hand_over(self, *span):
        self.ledger.receive(*handed(*span))

    def learn(self, enough=4, most=1_000, turns=100):
        for _ in range(turns):
            self.ledger.fill(3, most)
            taken = self.ledger.take(enough, enough, less=True)
            if taken is not None:
                self.order += places_of(*taken.places())
                self.ledger.learnt(taken)
        assert self.ledger.rows == 0
        return self.order

    def counted(self, name):
        return {label: count for (key, label), count in self.meter.counters.items() if key == name and count}


def test_hand_overs_in_order_are_learned_in_order():
    books = Books(Outcomes(4))
    books.hand_over(0, 0, 3)
    books.hand_over(0, 3, 7)
    assert books.learn() == [(0, 0), (0, 2), (0, 4), (0, 6)]
    assert books.ledger.positions == {0: 7}
    assert books.ledger.learned == Learned().plus(books.order, rows=8)


def test_a_marker_between_two_hand_overs_is_no_gap():
    books = Books(Outcomes(4))
    books.hand_over(0, 0, 1)  # the marker at 1 belongs to the next stretch
    books.hand_over(0, 1, 3)
    assert not books.ledger.missing


def test_what_was_handed_over_before_is_refused():
    books = Books(Outcomes(4))
    books.hand_over(0, 0, 5)
    books.hand_over(0, 2, 7)
    assert books.learn() == [(0, 0), (0, 2), (0, 4), (0, 6)]
    assert books.counted("outcomes_refused") == {"": 2}


def test_a_gap_is_read_from_the_log_and_learned_first():
    books = Books(Outcomes(5))
    books.hand_over(0, 0, 1)
    books.hand_over(0, 6, 9)
    assert books.learn() == [(0, 0), (0, 2), (0, 4), (0, 6), (0, 8)]
    assert books.counted("outcomes_fetched") == {"": 2}


def test_a_gap_inside_one_hand_over_is_filled_where_it_lies():
    books = Books(Outcomes(6))
    both = resolved((0, 0), (0, 8))
    books.ledger.receive(both, (Span(0, 0, 1), Span(0, 8, 9)))
    assert books.learn() == [(0, 0), (0, 2), (0, 4), (0, 6), (0, 8)]


def test_a_gap_is_read_although_what_lies_behind_it_leaves_no_room():
    books = Books(Outcomes(6))
    books.hand_over(0, 0, 1)
    books.hand_over(0, 4, 11)
    assert books.ledger.rows == 2 + 2 * 4
    books.ledger.fill(3, most=10)  # there is something to learn before it
    assert (books.ledger.missing, books.ledger.rows) == (True, 10)
    assert books.learn(most=8) == [(0, 0), (0, 2), (0, 4), (0, 6), (0, 8), (0, 10)]


def test_an_empty_stretch_tells_what_a_dead_runner_left():
    books = Books(Outcomes(3))
    books.ledger.receive(None, (Span(0, 6, 6),))
    assert books.learn() == [(0, 0), (0, 2), (0, 4)]


def test_what_is_missing_from_several_partitions_comes_by_the_time_of_the_close():
    books = Books(Outcomes(2, 3))
    books.ledger.fetch_up_to_ends()
    assert books.learn() == [(0, 0), (1, 0), (0, 2), (1, 2), (1, 4)]
    assert books.ledger.positions == {0: 3, 1: 5}


def test_a_log_that_is_away_is_asked_again_and_nothing_is_lost():
    history = Outcomes(4)
    books = Books(history)
    books.ledger.fetch_up_to_ends()
    books.ledger.fill(1, 1_000)
    history.away = 2
    for _ in range(2):
        with pytest.raises(LogUnavailableError):
            books.ledger.fill(5, 1_000)
    assert books.learn() == [(0, 0), (0, 2), (0, 4), (0, 6)]


def test_an_encoder_that_is_away_is_asked_again_and_nothing_is_lost():
    away = [True, True]

    def to_rows(found):
        if away and away.pop():
            raise EncoderError("encoder actors must answer")
        return rows_of(found)

    books = Books(Outcomes(2, 2), to_rows)
    books.ledger.fetch_up_to_ends()
    for _ in range(2):
        with pytest.raises(EncoderError):
            books.ledger.fill(10, 1_000)
    assert books.ledger.missing
    assert books.learn() == [(0, 0), (1, 0), (0, 2), (1, 2)]


def test_a_record_that_is_no_outcome_is_counted_and_passed_over():
    books = Books(Outcomes(3, garbage=[(0, 2)]))
    books.ledger.fetch_up_to_ends()
    assert books.learn() == [(0, 0), (0, 4)]
    assert books.counted("outcomes_missed") == {"unreadable": 1}


def test_after_a_restore_it_goes_on_behind_the_positions():
    books = Books(Outcomes(4))
    learned = Learned().plus([(0, 0), (0, 2)], rows=4)
    books.ledger.restore({0: 3}, learned)
    books.ledger.fetch_up_to_ends()
    assert books.learn() == [(0, 4), (0, 6)]
    assert books.ledger.learned == learned.plus(books.order, rows=4)


def test_without_a_restore_it_starts_at_the_first_hand_over():
    books = Books(Outcomes(9), restored=False)
    books.hand_over(0, 6, 9)
    assert books.learn() == [(0, 6), (0, 8)]


def test_without_a_log_to_read_everything_that_comes_is_new():
    books = Books(None)
    books.hand_over(0, 0, 3)
    books.hand_over(0, 0, 3)  # another world with offsets of its own
    assert len(books.learn()) == 4


@pytest.mark.parametrize(("enough", "sizes"), [(1, [2, 2, 2]), (3, [4, 2]), (4, [4, 2]), (99, [6])])
def test_the_rows_of_one_outcome_stay_together(enough, sizes):
    books = Books(Outcomes(3))
    books.hand_over(0, 0, 5)
    taken = []
    while books.ledger:
        taken.append(len(books.ledger.take(enough, enough, less=True)))
    assert taken == sizes


def test_fewer_rows_than_enough_wait_unless_they_will_do():
    books = Books(Outcomes(3))
    books.hand_over(0, 0, 3)
    assert books.ledger.take(5, 9, less=False) is None
    assert books.ledger.rows == 4
    assert len(books.ledger.take(5, 9, less=True)) == 4


def test_where_more_than_enough_wait_all_of_them_are_taken_up_to_a_bound():
    books = Books(Outcomes(3))
    books.hand_over(0, 0, 3)
    books.hand_over(0, 3, 9)
    assert len(books.ledger.take(3, 9, less=False)) == 10  # the last of nine belongs to an outcome of two rows
    assert books.ledger.rows == 0
    books.hand_over(0, 9, 15)
    assert [len(books.ledger.take(3, 4, less=False)), books.ledger.rows] == [4, 2]
    assert books.ledger.take(3, 4, less=False) is None
    assert len(books.ledger.take(2, 4, less=False)) == 2
