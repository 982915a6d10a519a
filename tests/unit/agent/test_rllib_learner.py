"""RLlib's learner and rows that are not finite: they are left out and counted, and the run goes on."""

import numpy as np
import pytest
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from agent.rllib.config import BanditConfig
from agent.settings import AgentSettings
from deploy.bench.cost_filling import LAYOUTS, Traffic


@pytest.fixture(scope="module")
def group():
    config = BanditConfig().streaming(
        agent=AgentSettings(), layout=LAYOUTS["numeric"], open_session=None, timer=lambda: 0.0
    )
    group = config.build_learner_group(rl_module_spec=config.get_multi_rl_module_spec())
    yield group
    group.shutdown()


def updated(group, rows):
    batch = MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(rows.columns())}, len(rows))
    found = group.update(batch=batch)[0][DEFAULT_MODULE_ID]
    return {name: float(found[name].peek()) for name in ("rows", "skipped", "loss")}


def test_an_update_of_nothing_but_rows_that_are_not_finite_teaches_nothing_and_ends_nothing(group):
    traffic = Traffic(LAYOUTS["numeric"], seed=0)
    keys = traffic.keys(50)
    assert updated(group, traffic.rows(keys)) == {"rows": 256.0, "skipped": 0.0, "loss": 0.0}
    one = traffic.rows(keys)[:1]
    one.candidate_RD[0, 3] = np.nan
    assert updated(group, one) == {"rows": 256.0, "skipped": 1.0, "loss": 0.0}
    some = traffic.rows(keys)
    some.context_RC[:6] = np.inf
    after = updated(group, some)
    assert (after["rows"], after["skipped"]) == (256.0 + 250.0, 6.0)
    assert after["loss"] > 0
