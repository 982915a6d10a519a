"""The policy beside an incumbent: the same figures at the endpoint, in the summary and in the report."""

import json

import numpy as np
import pytest

from agent.evaluation.running import RunningSums
from deploy.beside import apprentice_figures
from deploy.metrics import Metrics
from deploy.record import RunRecord
from deploy.report import write_report
from stream.meter import Tally


def counted(decisions=400, seed=0):
    """What a runner counts of decisions that are all weighted."""
    random = np.random.default_rng(seed)
    reward_N = (random.random(decisions) < 0.3).astype(np.float64)
    sums = RunningSums.of(
        reward_N, *random.uniform(0.2, 1.0, (2, decisions)), *random.uniform(0.1, 0.5, (2, decisions))
    )
    tally = Tally()
    tally.count("apprentice_decisions", decisions)
    tally.count("apprentice_agreement", 0.6 * decisions)
    tally.count("apprentice_same", decisions // 4)
    tally.count("apprentice_reward", float(reward_N.sum()))
    for name, amount in sums.by_name().items():
        tally.count("apprentice_sum", amount, label=name)
    return tally, sums


def test_runners_add_up_at_the_endpoint():
    (one, sums), (two, more) = counted(), counted(seed=1)
    metrics = Metrics()
    metrics.absorb(one, source="0")
    metrics.absorb(two, source="1")

    def read(name, **labels):
        return metrics.registry.get_sample_value(f"streambandit_{name}", labels)

    assert read("apprentice_decisions_total") == 800
    assert read("apprentice_agreement_mean") == pytest.approx(0.6)
    assert read("apprentice_same_share") == 0.25
    dr = (sums + more).dr()
    assert read("apprentice_value", estimate="dr") == pytest.approx(dr.value)
    assert read("apprentice_value_low", estimate="dr") == pytest.approx(dr.lower)
    assert read("apprentice_value_high", estimate="dr") == pytest.approx(dr.upper)
    assert read("apprentice_value", estimate="incumbent") == pytest.approx((sums + more).r / 800)
    assert read("apprentice_sum_total", of="w2") == pytest.approx(sums.w2 + more.w2)


def test_without_an_incumbent_nothing_is_told():
    metrics = Metrics()
    metrics.absorb(Tally(counters={("decisions", ""): 3.0}))
    assert metrics.registry.get_sample_value("streambandit_apprentice_value", {"estimate": "dr"}) is None
    assert apprentice_figures(Tally(counters={("decisions", ""): 3.0})) == {}


def test_summary_and_report_hold_the_figures(tmp_path):
    tally, sums = counted()
    figures = apprentice_figures(tally)
    assert (figures["decisions"], figures["agreement"], figures["same"]) == (400, pytest.approx(0.6), 0.25)
    gain = sums.gain()
    assert [figures[name] for name in ("gain", "gain_low", "gain_high")] == [gain.value, gain.lower, gain.upper]
    page = write_report(RunRecord(title="beside", summary={"apprentice": figures}), tmp_path).read_text()
    assert "Gain over the incumbent" in page
    assert json.loads((tmp_path / "summary.json").read_text())["apprentice"]["snips"] == sums.snips().value


def test_one_decision_has_no_interval_and_a_warning():
    tally = Tally()
    for name in ("decisions", "agreement"):
        tally.count(f"apprentice_{name}")
    for name, amount in RunningSums.of(*map(np.array, ([1.0], [0.5], [0.5], [0.5], [0.5]))).by_name().items():
        tally.count("apprentice_sum", amount, label=name)
    figures = apprentice_figures(tally)
    assert "gain_low" not in figures
    assert "effective sample size" in figures["warning"]
