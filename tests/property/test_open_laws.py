"""What the driver knows of open decisions is what the deterministic schedule would read, whatever happened before."""

from hypothesis import given, settings
from hypothesis import strategies as st
from support.open_worlds import OpenWorld, assert_same

from agent.open_look import OpenTable

EVENTS = st.lists(st.sampled_from(["step", "step", "step", "look", "lost", "before", "after"]), min_size=8, max_size=40)


@given(events=EVENTS, seed=st.integers(0, 50), max_open=st.sampled_from([9, 40, 10_000]))
@settings(max_examples=40, deadline=None)
def test_looks_tell_what_a_fresh_book_reads(events, seed, max_open):
    world, table = OpenWorld(seed, max_open=max_open), OpenTable()
    world.step()
    for event in events:
        if event == "lost":
            world.book.look(table.number)  # it never reaches the driver
        elif event == "look" and world.core.joins():
            assert table.take(world.book.look(table.number))
            assert_same(table.rows({}), world.fresh())
        elif event != "look":
            world.step(fails=event if event in ("before", "after") else None)
    world.step()
    assert table.take(world.book.look(table.number))
    assert_same(table.rows({}), world.fresh())


@given(seed=st.integers(0, 50), most_read=st.integers(1, 7))
@settings(max_examples=10, deadline=None)
def test_what_was_not_noted_comes_a_part_at_a_time(seed, most_read):
    world, table = OpenWorld(seed), OpenTable()
    for _ in range(4):
        world.step()
    world.book._notes.take()  # as after a restart: nothing is noted
    whole = world.fresh()
    looks = -(-len(set(whole.share_R)) * len(whole.rows) // most_read) + 1
    for _ in range(looks):
        before = len(table.rows({}).rows) if table.number and table.rows({}) else 0
        table.take(world.book.look(table.number, most_read))
        assert len(table.rows({}).rows) - before <= 2 * most_read  # of two slots each
    assert_same(table.rows({}), whole)
