"""What the transport benchmarks send."""

from itertools import pairwise

from deploy.bench.speed.traffic import Traffic, TrafficSettings
from stream.events import Click, Impression

NOW_MS = 1_800_000_000_000


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_a_burst_is_in_the_order_of_event_time_and_goes_on_where_the_last_one_ended():
    traffic = Traffic(TrafficSettings(gap_ms=2), NOW_MS)
    first, second = list(traffic.burst(500)), list(traffic.burst(500))
    shown = of_kind(first + second, Impression)
    assert len(shown) == 1_000
    assert [after.ts_ms - before.ts_ms for before, after in pairwise(shown)] == [2] * 999
    assert len({impression.impression_id for impression in shown}) == 1_000
    assert shown[-1].ts_ms < NOW_MS  # no burst reaches the clock
    for burst in (first, second):
        times_ms = [event.ts_ms for event in burst]
        assert times_ms == sorted(times_ms)


def test_clicks_are_on_the_candidate_that_every_reader_likes_best_a_fifth_of_the_time():
    traffic = Traffic(TrafficSettings(), NOW_MS)
    events = list(traffic.burst(2_000))
    shown = {impression.impression_id: impression for impression in of_kind(events, Impression)}
    clicks = of_kind(events, Click)
    assert 340 <= len(clicks) <= 460  # 400, within 3.4 standard deviations
    better = {}
    for click in clicks:
        impression = shown[click.impression_id]
        assert click.user_id == impression.user_id
        assert 50 <= click.ts_ms - impression.ts_ms < 1_000
        items = {candidate.item_id for candidate in impression.candidates}
        assert click.item_id in items
        better.setdefault(click.item_id, set()).update(items - {click.item_id})
    # One order of items explains all clicks: of two items none is preferred to the other both ways.
    assert not any(one in better.get(other, ()) for one, others in better.items() for other in others)


def test_texts_come_out_of_pools_and_cold_ones_never_twice():
    def contexts(**settings):
        return [
            each.context.text for each in of_kind(Traffic(TrafficSettings(**settings), NOW_MS).burst(600), Impression)
        ]

    assert len(set(contexts(contexts=1))) == 1
    assert 300 < len(set(contexts(contexts=1_000))) <= 600
    assert len(set(contexts(cold=True))) == 600
