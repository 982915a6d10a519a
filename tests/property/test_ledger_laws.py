"""Whatever runners hand over, lose or repeat: every outcome is learned once, in the order of its partition."""

from hypothesis import given
from hypothesis import strategies as st
from support.histories import Outcomes, handed, rows_of

from agent.learned import Learned, places_of
from agent.ledger import Ledger
from stream.meter import Tally

COUNTS = (7, 5)
STRETCHES = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.integers(0, 14), st.integers(0, 6), st.booleans()), max_size=12
)


def learn(ledger, enough):
    """Learns what there is; the places in order."""
    order = []
    while ledger:
        ledger.fill(2, most=3)
        taken = ledger.take(enough, enough, less=True)
        if taken is not None:
            order += places_of(*taken.places())
            ledger.learnt(taken)
    return order


@given(stretches=STRETCHES, enough=st.integers(1, 9))
def test_every_outcome_is_learned_once_and_in_order(stretches, enough):
    history = Outcomes(*COUNTS)
    ledger = Ledger(Tally(), history, rows_of)
    ledger.restore({}, Learned())
    order = []
    for partition, start, length, learns in stretches:
        end = history.end("outcomes", partition)
        ledger.receive(*handed(partition, min(start, end), min(start + length, end)))
        order += learn(ledger, enough) if learns else []
    ledger.fetch_up_to_ends()
    order += learn(ledger, enough)
    for partition, count in enumerate(COUNTS):
        assert [offset for number, offset in order if number == partition] == list(range(0, 2 * count, 2))
    assert ledger.learned == Learned().plus(order, rows=2 * sum(COUNTS))


@given(stretches=STRETCHES, cut=st.integers(0, 12))
def test_a_restart_in_between_changes_nothing(stretches, cut):
    history = Outcomes(*COUNTS)
    ledger = Ledger(Tally(), history, rows_of)
    ledger.restore({}, Learned())
    order = []
    for number, (partition, start, length, learns) in enumerate(stretches):
        if number == cut:  # what was received and not learned is lost with the process
            positions, learned = dict(ledger.positions), ledger.learned
            ledger = Ledger(Tally(), history, rows_of)
            ledger.restore(positions, learned)
        end = history.end("outcomes", partition)
        ledger.receive(*handed(partition, min(start, end), min(start + length, end)))
        order += learn(ledger, 3) if learns else []
    ledger.fetch_up_to_ends()
    order += learn(ledger, 3)
    assert sorted(order) == [(p, 2 * n) for p, count in enumerate(COUNTS) for n in range(count)]
