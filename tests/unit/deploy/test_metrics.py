"""The metrics endpoint, scraped over HTTP and read by Prometheus' own parser."""

import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.errors import MetricsError
from deploy.metric_names import COUNTERS, DISTRIBUTIONS, GAUGES
from deploy.metrics import Metrics
from stream.meter import Tally

ROOT = Path(__file__).parents[3]


@pytest.fixture
def metrics():
    made = Metrics()
    yield made
    made.close()


def scrape(metrics: Metrics) -> dict:
    port = metrics.serve("127.0.0.1", 0)
    return read(port)


def read(port: int) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family, suffix="") -> dict:
    return {tuple(s.labels.values()): s.value for s in family.samples if s.name == family.name + suffix}


def test_the_endpoint_shows_what_the_loop_counted(metrics):
    tally = Tally()
    tally.count("decisions", 4)
    tally.count("clicks", 2, label="joined")
    tally.count("clicks", label="late")
    tally.count("dead_letters", label="clicks")
    tally.count("encoder_texts", 3, label="hit")
    metrics.absorb(tally.take(), source="runner-0")
    tally.count("decisions", 6)
    metrics.absorb(tally.take(), source="runner-1")
    found = scrape(metrics)
    assert values(found["streambandit_decisions"], "_total") == {(): 10}
    clicks = values(found["streambandit_clicks"], "_total")
    assert (clicks["joined",], clicks["late",], clicks["early",]) == (2, 1, 0)
    assert values(found["streambandit_dead_letters"], "_total") == {("impressions",): 0, ("clicks",): 1}
    assert values(found["streambandit_encoder_texts"], "_total") == {("hit",): 3, ("miss",): 0}


def test_every_metric_stands_there_from_the_start_and_says_what_it_is(metrics):
    found = scrape(metrics)
    for shown in (*COUNTERS.values(), *GAUGES.values(), *DISTRIBUTIONS.values()):
        assert found[f"streambandit_{shown.name}"].documentation == shown.about
    assert values(found["streambandit_decisions"], "_total") == {(): 0}
    assert values(found["streambandit_click_rate"]) == {}  # nothing is known of it yet


def test_histograms_are_merged_from_their_buckets_in_seconds(metrics):
    one, other = Tally(), Tally()
    one.observe("decision_latency_ms", [0.4, 5.0, 70_000.0])
    other.observe("decision_latency_ms", [4.0])
    metrics.absorb(one)
    metrics.absorb(other)
    family = scrape(metrics)["streambandit_decision_latency_seconds"]
    buckets = {key[0]: value for key, value in values(family, "_bucket").items()}
    assert (buckets["0.0005"], buckets["0.005"], buckets["10.0"], buckets["+Inf"]) == (1, 3, 3, 4)
    assert values(family, "_count") == {(): 4}
    assert values(family, "_sum")[()] == pytest.approx(70.0094)


def test_click_rates_and_exploration_are_ratios_of_sums(metrics):
    tally = Tally()
    for name, amount in {"reward": 3, "rewarded": 20, "uniform_reward": 2, "uniform_weight": 40}.items():
        tally.count(name, amount)
    tally.count("decisions", 50)
    tally.count("exploration", 5)
    metrics.absorb(tally)
    found = scrape(metrics)
    shares = [values(found[f"streambandit_{n}"])[()] for n in ("click_rate", "click_rate_uniform", "exploration_share")]
    assert shares == pytest.approx([0.15, 0.05, 0.1])


def test_levels_of_runners_go_together_and_end_with_them(metrics):
    for number, staleness in enumerate((0.5, 2.0)):
        levels = {"open_decisions": 10.0, "policy_staleness_seconds": staleness}
        metrics.absorb(Tally(levels=levels), source=f"runner-{number}")
        metrics.absorb(Tally(levels=levels), source=f"runner-{number}")
    metrics.policy("2.17")
    found = scrape(metrics)
    assert values(found["streambandit_open_decisions"]) == {(): 20}
    assert values(found["streambandit_policy_staleness_seconds"]) == {(): 2.0}
    assert values(found["streambandit_policy_version"]) == {(): 17}
    assert values(found["streambandit_policy_epoch"]) == {(): 2}
    metrics.forget("runner-1")
    assert values(scrape(metrics)["streambandit_open_decisions"]) == {(): 10}


def test_what_has_no_name_here_shows_all_the_same(metrics):
    tally = Tally(levels={"heat": 3.0})
    tally.count("odd", 2, label="x")
    tally.observe("odd_ms", [1.0])
    metrics.absorb(tally)
    found = scrape(metrics)
    assert values(found["streambandit_odd"], "_total") == {("x",): 2}
    assert values(found["streambandit_heat"]) == {(): 3}
    assert values(found["streambandit_odd_seconds"], "_count") == {(): 1}


def test_absorbing_while_scraping_loses_nothing(metrics):
    def count() -> None:
        for number in range(500):
            metrics.absorb(Tally(counters={("decisions", ""): 1.0, ("clicks", str(number)): 1.0}))

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    port = metrics.serve("127.0.0.1", 0)
    for _ in range(5):
        read(port)
    for thread in threads:
        thread.join(10)
    assert values(read(port)["streambandit_decisions"], "_total") == {(): 1500}


def test_a_taken_port_is_named_and_a_closed_endpoint_is_gone(metrics):
    port = metrics.serve("127.0.0.1", 0)
    other = Metrics()
    with pytest.raises(MetricsError, match=rf"got 127\.0\.0\.1:{port} .*Set metrics\.port"):
        other.serve("127.0.0.1", port)
    metrics.close()
    metrics.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2)


def test_every_metric_that_the_code_counts_has_a_name_and_a_meaning():
    known = {*COUNTERS, *GAUGES, *DISTRIBUTIONS}
    counted = {
        name
        for room in ("stream", "envs", "agent")
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r"(?:meter|tally)\.(?:count|observe|level)\(\s*\"(\w+)\"", path.read_text())
    }
    assert counted - known == set()
