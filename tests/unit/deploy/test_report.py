"""What a run leaves: its folder, its summary, its page, and the comparison of policies behind them."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from deploy.compare import paired_difference, rolling
from deploy.errors import ReportError
from deploy.record import REQUIRED, Arm, Progress, RunRecord, new_run_folder, summary_of
from deploy.report import headline, write_report
from deploy.settings_load import load_settings

N = 2_000


def rates(level: float, seed: int = 0) -> np.ndarray:
    noise_N = np.random.default_rng(seed).normal(0.0, 0.01, N)
    return np.clip(level + noise_N, 0.001, 1.0).astype(np.float32)


def record(**changes) -> RunRecord:
    content = {
        "title": "Demo <of> readers",
        "summary": {"outcomes": 1_900, "dead_letters": 2},
        "settings": {"kafka": {"password": "**********"}},
        "progress": [
            Progress(
                t_s=t, decisions=100 * t, latency_p50_ms=4.0, latency_p99_ms=9.0, policy_version=t, exploration=0.2
            )
            for t in range(1, 21)
        ],
        "arms": [Arm("learned", "learning", rates(0.15)), Arm("frozen", "frozen", rates(0.06, 1))],
        "uniform": rates(0.05, 2),
        "oracle": rates(0.3, 3),
    }
    return RunRecord(**(content | changes))


class Page(HTMLParser):
    """Keeps tags and the addresses that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "srcset", "data") or (tag == "link")]


def test_the_summary_has_every_required_key_and_the_comparison(tmp_path):
    write_report(record(), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(REQUIRED) <= summary.keys()
    assert summary["decisions"] == N
    assert summary["outcomes"] == 1_900
    assert summary["click_rate_last_quarter"] == pytest.approx(0.15, abs=0.002)
    assert summary["click_rate_uniform"] == pytest.approx(0.05, abs=0.002)
    assert summary["policy_versions"] == 20
    assert summary["latency_p99_ms"] == 9.0
    assert summary["decisions_per_second"] == 100
    gain = summary["arms"]["learned"]["minus_frozen_last_quarter"]
    assert 0.087 < gain["lower"] < gain["mean"] < gain["upper"] < 0.093
    assert summary["arms"]["frozen"]["minus_frozen_last_quarter"] is None


def test_what_a_run_says_of_itself_goes_before_what_follows_from_arrays():
    found = summary_of(record(summary={"click_rate": 0.5, "policy_versions": None}))
    assert (found["click_rate"], found["policy_versions"]) == (0.5, 20)


def test_a_run_without_a_world_has_null_where_nothing_is_known(tmp_path):
    progress = [Progress(t_s=t, decisions=t, click_rate=0.1 * t, click_rate_uniform=0.1) for t in (1, 2, 3)]
    page = write_report(record(arms=[], uniform=rates(0)[:0], oracle=rates(0)[:0], progress=progress), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["click_rate_oracle"] is summary["latency_p50_ms"] is None
    assert summary["click_rate"] == pytest.approx(0.3)
    assert "In this run, readers clicked on 30.0 % of what it showed. That is 3.0 times" in page.read_text()
    assert "Compared policies" not in page.read_text()


def test_an_empty_run_still_leaves_a_page(tmp_path):
    page = write_report(RunRecord(title="nothing", summary={}), tmp_path)
    assert "ended before anything could be said" in page.read_text()
    assert json.loads((tmp_path / "summary.json").read_text())["decisions"] == 0


def test_the_page_stands_alone_and_its_plots_are_sound(tmp_path):
    text = write_report(record(), tmp_path).read_text()
    page = Page(text)
    assert page.loads == []
    assert "script" not in page.tags
    assert not re.findall(r"(?:@import|url\((?!#))", text)
    assert page.tags.count("svg") == 4
    assert "Demo &lt;of&gt; readers" in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert ElementTree.fromstring(svg).get("viewBox")  # noqa: S314 - our own
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_page_compares_the_policies_and_shows_the_settings(tmp_path):
    text = write_report(record(settings=load_settings().redacted()), tmp_path).read_text()
    assert re.search(r"\+8\.[89]\d\s*<span class=\"range\">\+8\.\d\d to \+9\.\d\d", text)
    assert "gap_scale" in text


def test_how_old_feedback_was_and_how_long_the_start_took_is_told_with_units_and_meaning(tmp_path):
    told = {"outcome_staleness_p50_ms": 512.25, "start": {"ray": 3.94, "decided": 8.9}}
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", write_report(record(summary=told), tmp_path).read_text()))
    assert "Age of outcomes, half within 512.2 ms from the close of an outcome to deciding by it" in page
    assert "Start: decided 8.9 s done so long after the start of the process" in page


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        (
            {"click_rate_last_quarter": 0.05, "click_rate_uniform_last_quarter": 0.05},
            "1.00 times the clicks of a uniform",
        ),
        (
            {"click_rate_last_quarter": 0.02, "click_rate_uniform_last_quarter": 0.05},
            "0.40 times the clicks of a uniform",
        ),
        ({"click_rate_last_quarter": 0.2, "click_rate_uniform": 0.05}, "4.0 times as often as a uniform choice"),
        ({"click_rate": 0.2, "click_rate_uniform": 0.0}, "In this run, readers clicked on 20.0 % of what it showed."),
    ],
)
def test_the_headline_says_what_was_found_also_where_it_is_little(summary, told):
    assert told in headline(summary)


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ReportError, match="summary must hold what JSON can"):
        write_report(record(summary={"loss": float("nan")}), tmp_path)
    with pytest.raises(ReportError, match="folder must be writable"):
        write_report(record(), tmp_path / "none")
    with pytest.raises(ReportError, match="'uniform' must be finite; got nan"):
        record(uniform=np.array([np.nan], np.float32))


def test_every_run_has_its_folder_and_latest_is_the_last(tmp_path):
    runs = tmp_path / "runs"
    folders = [new_run_folder(runs, lambda s=s: s * 1_000) for s in (1_700_000_000, 1_700_000_000, 1_700_000_001)]
    assert [folder.name for folder in folders] == [
        "2023-11-14T22-13-20Z",
        "2023-11-14T22-13-20Z-2",
        "2023-11-14T22-13-21Z",
    ]
    assert (runs / "latest").resolve() == folders[-1].resolve()
    assert sorted(path.name for path in runs.iterdir()) == [*(folder.name for folder in folders), "latest"]


def test_a_run_dir_that_is_a_file_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(ReportError, match="run_dir must be a folder that can be written to"):
        new_run_folder(tmp_path / "runs", lambda: 1)


def test_the_interval_covers_the_true_difference_also_where_neighbours_are_alike():
    """Differences that hold for 50 decisions at a time: 95 % intervals of 200 runs hold 0 in about 95 % of them."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        shared_N = np.repeat(random.normal(0, 0.05, 100), 50)
        found = paired_difference(shared_N + random.normal(0, 0.01, 5_000), np.zeros(5_000))
        held += not found.clear
    assert 178 <= held <= 199  # 190 expected, ± 4 standard errors


def test_a_difference_needs_decisions():
    assert paired_difference(np.zeros(0), np.zeros(5)) is None
    assert paired_difference(np.ones(3), np.zeros(5)) == (1.0, None, None)


def test_rolling_means_end_at_the_last_value():
    ends, means = rolling(np.arange(1_000.0), window=100, points=10)
    assert (ends[0], ends[-1]) == (100, 1_000)
    assert (means[0], means[-1]) == (49.5, 949.5)
    assert rolling(np.zeros(0), 5)[0].size == 0
