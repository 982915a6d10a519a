"""What the cost benchmark measures: policies of every size that learned the same, and ratios of what they cost."""

import json
from itertools import count

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from agent.crossed_rows import CrossedRows
from agent.inputs import inputs_of_rows
from agent.settings import AgentSettings
from deploy.bench import __main__ as command
from deploy.bench.cost_filling import CANDIDATES, DECISIONS, LAYOUTS, UPDATE, Traffic, filled, impressions
from deploy.bench.costs import Costs, json_lines, measure, ratio, table
from deploy.bench.errors import BenchError

SIZES = (40, 1_024)
SMALL = AgentSettings(
    expert={"max_items": 1_024, "max_users": 1_024, "rank": 4, "refresh_rows": (256,)}, network={"steps": 0}
)


@pytest.fixture(scope="module")
def policies():
    return list(filled(Traffic(LAYOUTS["numeric"], seed=0), SIZES, SMALL))


@pytest.mark.parametrize("index", [0, 1])
def test_a_policy_holds_so_many_items_and_users(policies, index):
    one = policies[index]
    policy, key_N = one.learning.policy, torch.from_numpy(one.keys)
    assert len(set(one.keys.tolist())) == SIZES[index]
    for held in (policy.expert.items.table, policy.users.table):
        assert len(held) == SIZES[index]
        assert (held.find(key_N) >= 0).all()


def test_all_sizes_learned_the_same_rows(policies):
    small, large = (one.learning.policy for one in policies)
    assert int(small.rows) == int(large.rows) == 17 * UPDATE
    assert torch.equal(small.expert.precision, large.expert.precision)
    known = policies[0].keys
    for ours, theirs in ((small.expert.items.table, large.expert.items.table), (small.users.table, large.users.table)):
        places = [held.find(torch.from_numpy(known)) for held in (ours, theirs)]
        for column, values in ours.read(places[0]).items():
            assert torch.equal(values, theirs.read(places[1])[column])


def test_a_written_item_goes_on_as_if_it_had_been_learned(policies):
    one = policies[1]
    rows, policy = one.traffic.rows(one.keys), one.learning.policy
    expert = policy.expert
    read = CrossedRows.of(policy.read(inputs_of_rows(rows)))
    arrows, _ = expert.items.arrows(read, rows.item_R, expert.mean.double().numpy(), expert.clock)
    assert len(arrows.key_M) > 2 * SIZES[0]  # most of them were written
    assert not arrows.loose_M.any()
    assert (arrows.precision_M > arrows.prior).all()


def test_traffic_is_of_known_items_and_clicked_now_and_then(policies):
    traffic, keys = policies[0].traffic, policies[0].keys
    seen = traffic.observation(keys)
    assert len(seen.item_N) == DECISIONS * CANDIDATES
    assert set(seen.item_N.tolist()) <= set(keys.tolist())
    assert [len(each.candidates) for each in impressions()] == seen.counts_B.tolist()
    rate = np.mean([traffic.rows(keys).reward_R.mean() for _ in range(40)])
    assert 0.04 < rate < 0.14


def test_texts_have_length_one():
    seen = Traffic(LAYOUTS["text"], seed=0).observation(np.arange(5))
    for vector_ND in (seen.context_BC, seen.candidates_ND, seen.user_BU[:, :384]):
        np.testing.assert_allclose(np.linalg.norm(vector_ND, axis=1), 1.0, rtol=1e-5)


def test_time_is_shared_out_among_decisions_and_rows():
    seconds = count()
    found = measure("numeric", SIZES, repeats=2, settings=SMALL, timer=lambda: float(next(seconds)))
    np.testing.assert_allclose(found.decision_ms_PS, np.full((2, 2), 1_000 / (8 * 32)))
    np.testing.assert_allclose(found.row_ms_PS, np.full((2, 2), 1_000 / (3 * 256)))
    assert found.room_ms == 1_000
    assert found.memory_mb_S.shape == (2,)


def test_a_ratio_is_the_median_of_the_repeats():
    found = ratio(np.array([[1.0, 9.0, 2.0], [2.0, 9.0, 2.0], [1.0, 9.0, 4.0], [4.0, 9.0, 12.0]]))
    assert found.median == 2.5  # of 2, 1, 4, 3
    assert found.spread == 1.5  # from 1.75 to 3.25


def test_the_report_has_a_row_for_each_size_and_a_line_for_each_cost():
    costs = Costs("numeric", (10, 1_000), np.array([[0.2, 0.3]]), np.array([[0.1, 0.05]]), np.array([50.0, 60.0]), 7.0)
    text = table(costs)
    assert "| 10 | 0.200 | 10,000 | 50 |" in text
    assert "| 1,000 | 0.300 | 20,000 | 60 |" in text
    assert "makes room for new items: 7 ms" in text
    decision, learning = map(json.loads, json_lines(costs))
    assert decision == {
        "name": "costs-numeric-decision",
        "ratio": 1.5,
        "ours": 0.3,
        "theirs": 0.2,
        "unit": "ms per decision",
        "spread": 0.0,
    }
    assert (learning["name"], learning["ratio"], learning["unit"]) == ("costs-numeric-learning", 0.5, "ms per row")


@pytest.mark.parametrize("sizes", [(), (0, 5), (5, 4), (5, 1_025)])
def test_sizes_ascend_and_fit(sizes):
    with pytest.raises(BenchError, match=r"Sizes must ascend from 1 to 1,024"):
        measure("numeric", sizes, settings=SMALL)


@pytest.mark.parametrize(("layout", "repeats", "message"), [("sound", 1, "layout .*'sound'"), ("text", 16, "got 16")])
def test_what_cannot_be_measured_is_named(layout, repeats, message):
    with pytest.raises(BenchError, match=message):
        measure(layout, SIZES, repeats, SMALL)


def test_the_command_prints_table_and_lines():
    options = ["costs", "--size", "10", "--size", "20", "--layout", "numeric", "--repeats", "1"]
    found = CliRunner().invoke(command.app, options, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert "| 20 | " in found.output
    assert '"name": "costs-numeric-learning"' in found.output
