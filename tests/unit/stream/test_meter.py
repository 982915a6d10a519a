"""What is counted: sums by label, distributions with a quantile, levels; taken once, merged without loss."""

import msgspec
import pytest

from stream.meter import LATENCY_BUCKETS_MS, Histogram, Tally


def test_a_counter_adds_up_by_label():
    tally = Tally()
    tally.count("clicks", label="joined")
    tally.count("clicks", 2.5, label="joined")
    tally.count("clicks", label="late")
    tally.count("decisions", 4)
    assert tally.counters == {("clicks", "joined"): 3.5, ("clicks", "late"): 1.0, ("decisions", ""): 4.0}
    assert tally.total("clicks") == 4.5
    assert tally.total("never") == 0


def test_two_tallies_share_nothing():
    one, other = Tally(), Tally()
    one.count("a")
    one.observe("b", [1.0])
    one.level("c", 1.0)
    assert other == Tally(counters={}, histograms={}, levels={})


def test_a_value_on_a_bound_falls_into_the_bucket_below_it():
    tally = Tally()
    tally.observe("ms", [0.1, 0.5, 0.51, 10_000, 10_001])
    buckets = tally.histograms["ms"].buckets
    assert len(buckets) == len(LATENCY_BUCKETS_MS) + 1
    assert (buckets[0], buckets[1], buckets[-2], buckets[-1]) == (2, 1, 1, 1)
    assert tally.histograms["ms"].total == pytest.approx(20_002.11)


def test_a_quantile_is_linear_within_its_bucket():
    tally = Tally()
    tally.observe("ms", [3.0] * 10 + [15.0] * 10)  # ten in (2, 5], ten in (10, 20]
    histogram = tally.histograms["ms"]
    assert histogram.quantile(0.25) == pytest.approx(2 + 3 * 5 / 10)
    assert histogram.quantile(0.5) == pytest.approx(5.0)
    assert histogram.quantile(0.95) == pytest.approx(10 + 10 * 9 / 10)
    assert histogram.quantile(1.0) == pytest.approx(20.0)


def test_what_lies_above_all_bounds_counts_as_the_last_and_nothing_as_0():
    tally = Tally()
    tally.observe("ms", [99_999.0])
    assert tally.histograms["ms"].quantile(0.5) == LATENCY_BUCKETS_MS[-1]
    assert Histogram().quantile(0.5) == 0.0


def test_taking_hands_over_everything_once_but_levels_stay():
    tally = Tally()
    tally.count("decisions")
    tally.observe("ms", [1.0])
    tally.level("open", 3.0)
    taken = tally.take()
    tally.count("decisions")
    tally.level("open", 4.0)
    assert (taken.total("decisions"), taken.levels) == (1.0, {"open": 3.0})
    assert (tally.total("decisions"), tally.histograms, tally.levels) == (1.0, {}, {"open": 4.0})


def test_merging_adds_counts_and_buckets_and_replaces_levels():
    one, other = Tally(), Tally()
    for tally, times in ((one, 1), (other, 2)):
        tally.count("clicks", times, label="late")
        tally.observe("ms", [1.0] * times)
        tally.level("open", times)
    before = msgspec.convert(msgspec.to_builtins(other.histograms), dict[str, Histogram])
    one.merge(other)
    assert one.total("clicks") == 3
    assert (sum(one.histograms["ms"].buckets), one.histograms["ms"].total) == (3, 3.0)
    assert one.levels == {"open": 2.0}
    assert other.histograms == before


def test_parts_taken_and_merged_are_the_whole():
    whole, merged, part = Tally(), Tally(), Tally()
    for number in range(20):
        for tally in (whole, part):
            tally.count("n", number, label=str(number % 3))
            tally.observe("ms", [float(number)])
        if number % 4 == 0:
            merged.merge(part.take())
    merged.merge(part.take())
    assert merged == whole
