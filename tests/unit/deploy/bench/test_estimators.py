"""The benchmark of estimators: the truth of its worlds, its sums by hand, and what is handed to obp."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.evaluation import Estimate
from deploy.bench import estimators_coverage as covering
from deploy.bench import estimators_rows as needing
from deploy.bench.errors import BenchError
from deploy.bench.estimators import NAMES, all_estimates, errors_of, json_lines, measure, rows_of, table
from deploy.bench.estimators_obp_apart import Found, ask_obp, write_logs
from deploy.bench.estimators_world import CANDIDATES, Question, cross_fitted_NK, draw

NEAR = Question("near", 0.05, 2_000)
FAR = Question("far", 0.05, 2_000)


def test_the_truth_is_what_the_target_policy_earns():
    # weighted rewards have its value as their expectation: within 4 standard errors over 40 worlds
    worlds = [draw(NEAR, seed) for seed in range(40)]
    assert [each.truth for each in worlds] != [worlds[0].truth] * 40
    weighted = [(each.log.reward_N * each.target_N / each.log.propensity_N).mean() - each.truth for each in worlds]
    assert abs(np.mean(weighted)) < 4 * np.std(weighted) / np.sqrt(40)


def test_a_log_is_that_of_its_seed_and_its_propensities_are_of_its_policy():
    one, same, other = draw(FAR, 3), draw(FAR, 3), draw(FAR, 4)
    np.testing.assert_array_equal(one.log.reward_N, same.log.reward_N)
    assert one.truth == same.truth != other.truth
    logging_NK = one.log.logging_M.reshape(-1, CANDIDATES)
    np.testing.assert_allclose(logging_NK.sum(axis=1), 1.0)
    np.testing.assert_array_equal(one.log.propensity_N, logging_NK[np.arange(2_000), one.log.action_N])
    np.testing.assert_allclose(one.target_NK.sum(axis=1), 1.0)
    # what was shown as often as its propensities say: within 4 deviations
    expected, seen = logging_NK.sum(axis=0), np.bincount(one.log.action_N, minlength=CANDIDATES)
    assert (np.abs(seen - expected) < 4 * np.sqrt(expected)).all()


def test_far_targets_leave_fewer_effective_decisions_than_near_ones():
    for seed in range(5):
        near, far = (
            all_estimates(each, cross_fitted_NK(each.log, seed)) for each in (draw(NEAR, seed), draw(FAR, seed))
        )
        assert near["ips"].effective_sample_size > 1_500
        assert far["ips"].effective_sample_size < 700


def test_errors_are_shares_of_the_truth():
    ours = [dict.fromkeys(NAMES, Found(0.12, 0.1, 0.14)), dict.fromkeys(NAMES, Found(0.18, 0.15, 0.19))]
    obp = [dict.fromkeys(NAMES, Found(0.12, 0.11, 0.14)), dict.fromkeys(NAMES, Found(0.19, 0.15, 0.19))]
    (error, *others) = errors_of(NEAR, [0.1, 0.2], ours, obp)
    # +20 % and -10 %: mean 5, root of the mean square sqrt(250), deviation sqrt(450) over sqrt(2)
    assert (error.name, error.seeds, len(others)) == ("ips", 2, 7)
    assert error.bias == pytest.approx(0.05)
    assert error.rmse == pytest.approx(np.sqrt(0.025))
    assert error.bias_error == pytest.approx(0.15)
    assert error.obp_rmse == pytest.approx(np.sqrt((0.04 + 0.0025) / 2))
    assert error.apart == pytest.approx(0.01)
    assert (error.covered, error.obp_covered) == (0.5, 0.0)  # the truth may lie at an end
    assert "| ips | 15.8 | +5.0 ± 15.0 | 14.6 | 1e-02 | 50 | 0 |" in table([error])
    line = json.loads(json_lines([error])[0])
    assert line["name"] == "estimators/near/2000/ips"
    assert line["ratio"] == pytest.approx(error.rmse / error.obp_rmse)


def test_without_obp_nothing_is_said_of_it():
    (error, *_) = errors_of(NEAR, [0.1, 0.2], [dict.fromkeys(NAMES, Found(0.1, 0.0, 1.0))] * 2, None)
    assert table([error]).splitlines()[-1].endswith("| – | – | 100 | – |")
    assert json.loads(json_lines([error])[0])["theirs"] is None


@pytest.fixture
def answering(tmp_path):
    """Puts a program in the place of a Python that has obp."""

    def put(script):
        path = tmp_path / "python"
        path.write_text(f"#!{sys.executable}\n{script}")
        path.chmod(0o755)
        return path

    return put


def test_obp_is_handed_the_very_rows(answering, tmp_path):
    drawn = draw(Question("near", 0.05, 50), 0)
    rows = rows_of(drawn, cross_fitted_NK(drawn.log, 0))
    script = (
        "import json, sys, numpy as np\n"
        "a = np.load(sys.argv[2])\n"
        "w = a['target_1'][np.arange(50), a['action_1']] / a['propensity_1']\n"
        "print('loading ...')\n"
        "print(json.dumps([{'ips': [float((w * a['reward_1']).mean()), int(a['logs']), 0.5]}]))\n"
    )
    (answer,) = ask_obp(answering(script), [rows, rows])
    ours = all_estimates(drawn, rows.q_hat_NK)["ips"].value
    assert answer["ips"].value == pytest.approx(ours, abs=1e-12)
    assert (answer["ips"].lower, answer["ips"].upper) == (2, 0.5)
    write_logs(tmp_path / "logs.npz", [rows])
    with np.load(tmp_path / "logs.npz") as arrays:
        np.testing.assert_array_equal(arrays["q_hat_0"], rows.q_hat_NK)


def test_a_python_without_obp_is_named_with_what_it_said(answering):
    with pytest.raises(BenchError, match=r"--obp must be a Python that has obp; got .*, which said: no such thing"):
        ask_obp(answering("import sys; sys.exit('no such thing')"), [])
    with pytest.raises(BenchError, match="--obp must be a Python that has obp; got nowhere"):
        ask_obp(Path("nowhere"), [])


def test_the_study_of_errors_runs_over_all_questions(monkeypatch):
    monkeypatch.setattr("deploy.bench.estimators.SIZES", (300,))
    found = measure(2, None)
    assert [(each.question.target, each.name) for each in found] == [(t, n) for t in ("near", "far") for n in NAMES]
    assert all(np.isfinite(each.rmse) for each in found)


def estimate(lower, upper, clicks=50.0, warning=None):
    return Estimate((lower + upper) / 2, 0.01, lower, upper, 500.0, warning, clicks)


def test_coverage_counts_what_intervals_hold_on_either_side():
    # the truth is 1: held, below, above, held
    held = [(0.5, 1.5), (0.2, 0.8), (1.1, 1.5), (0.9, 1.1)]
    found = [(1.0, dict.fromkeys(NAMES, estimate(*ends))) for ends in held]
    found.append((1.0, dict.fromkeys(NAMES, estimate(2.0, 3.0, clicks=5.0, warning="few"))))
    found.append((1.0, dict.fromkeys(NAMES, estimate(0.0, 3.0, clicks=5.0, warning="few"))))
    carrying = covering._coverage(NEAR, "dr", found, carries=True)
    assert (carrying.logs, carrying.covered, carrying.below, carrying.above) == (4, 0.5, 0.25, 0.25)
    assert carrying.bias == pytest.approx((0.0 - 0.5 + 0.3 + 0.0) / 4)
    assert carrying.warned == 0.0
    few = covering._coverage(NEAR, "dr", found, carries=False)
    assert (few.logs, few.covered, few.above, few.warned) == (2, 0.5, 0.5, 1.0)
    assert covering._coverage(NEAR, "dr", found[:1], carries=True) is None
    assert "| **dr** | 50.0 | 25.0 | 25.0 | -5.0 ± 16.6 | 0 |" in covering.table([carrying])
    assert json.loads(covering.json_lines([few])[0])["name"] == "coverage/near/0.05/2000/dr/few"


def test_ten_times_the_rows_have_a_third_of_the_width():
    small, large = (needing.width_of(Question("near", 0.05, rows), 4) for rows in (1_000, 10_000))
    assert large.half["snips"] / small.half["snips"] == pytest.approx(10**-0.5, rel=0.25)
    assert large.carrying == 1.0
    # a half-width of a fifth of the largest log's needs 25 times its rows
    needed = needing.rows_needed([small, large], "snips", large.half["snips"] / 5)
    assert needed == pytest.approx(250_000)
    text = needing.table([small, large])
    assert "| near, 5% | 10,000 |" in text
    assert len(needing.json_lines([small, large])) == 4


def test_a_study_of_no_logs_is_empty():
    assert covering.measure(0, print) == needing.measure(0, print) == []
    assert needing.table([]) == covering.table([]) == ""
