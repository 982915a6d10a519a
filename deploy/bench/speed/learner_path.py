"""What RLlib costs on the learner's path, beside a bare loop in PyTorch with the same module, loss and batches.

Ours is what `BanditAlgorithm` does with the rows of one training step: four batches one after the other, each put into
RLlib's batch classes and given to `LearnerGroup.update`; from there RLlib's learner converts it and asks for our loss,
for which our learner takes the rows in, with the network's gradient steps on minibatches of 256 (16 for each 256 rows:
the network is kept busy) and the closed form; then metrics are reduced. The bare loop calls the same `Learning.learn`
on the same rows for its loss, and nothing else. So the difference is all that RLlib does between the algorithm's rows
and the update. Both learners begin as copies and learn the same rows.

Batches of 1,024 rows have the goal; those of 256, the usual size of an update, are shown. One thread, processor time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from agent.learning import Learning
from agent.rllib.config import BanditConfig
from agent.rllib.learner import BanditLearner
from agent.settings import AgentSettings, ExpertSettings, NetworkSettings
from agent.threads import one_thread
from deploy.bench.cost_filling import LAYOUTS, UPDATE, Traffic
from deploy.bench.errors import BenchError
from deploy.bench.rounds import Ints
from deploy.bench.speed.figure import Figure, Goal, figure, paired
from envs.rows import Rows
from envs.session import Session

_BATCHES = 4
_HELD = 1_000
_WARM_UPDATES = 17  # behind the third refresh
_GOALS = {1_024: Goal(0.9), 256: None}


@one_thread()
def measure(quick: bool, say: Callable[[str], None]) -> list[Figure]:
    """Rows learned a second through RLlib over those of the bare loop."""
    return [beside_bare_loop(size, 3 if quick else 9, say) for size in _GOALS]


def beside_bare_loop(size: int, repeats: int, say: Callable[[str], None]) -> Figure:
    """The same with batches of one size, a multiple of 256."""
    settings = AgentSettings(
        network=NetworkSettings(idle_weight=0.0),  # it takes all of its steps, whatever it weighs
        expert=ExpertSettings(refresh_rows=(256, 1_024, 4_096)),  # none falls into what is measured
    )
    traffic = Traffic(LAYOUTS["numeric"], seed=0)
    keys = traffic.keys(_HELD)
    group, learner = _learner(settings)
    for _ in range(_WARM_UPDATES):
        learner.learning_of(DEFAULT_MODULE_ID).learn(traffic.rows(keys))
    bare = deepcopy(learner.learning_of(DEFAULT_MODULE_ID))
    steps = [_step(traffic, keys, size) for _ in range(repeats + 1)]
    _through_rllib(group, steps[-1])  # what is only done once is done before
    _bare(bare, steps[-1])
    ours, theirs = partial(_through_rllib, group), partial(_bare, bare)
    rates = paired(partial(_rate, ours, iter(steps)), partial(_rate, theirs, iter(steps)), repeats)
    group.shutdown()
    _require_alike(learner.learning_of(DEFAULT_MODULE_ID), bare)
    say(f"{repeats} repeats of {_BATCHES} batches of {size:,} rows")
    return figure(f"learner-path-{size}", *rates, "rows/s", _GOALS.get(size))


def _require_alike(one: Learning, other: Learning) -> None:
    """Both sides have done the same work only if they have learned the same."""
    if len(one) != len(other) or int(one.policy.updates) != int(other.policy.updates):
        raise BenchError(f"Both sides must have learned the same; got {one.policy.version}, {other.policy.version}")


def _learner(settings: AgentSettings) -> tuple[LearnerGroup, BanditLearner]:
    config = BanditConfig().streaming(
        agent=settings, layout=LAYOUTS["numeric"], open_session=_no_session, timer=time.monotonic
    )
    group = config.build_learner_group(rl_module_spec=config.get_multi_rl_module_spec())
    return group, group._learner


def _no_session(*_: object) -> Session:
    raise BenchError("The learner alone must be measured; got a session to open")


def _step(traffic: Traffic, keys: Ints, size: int) -> list[Rows]:
    """The rows of one training step."""
    return [Rows.concatenate([traffic.rows(keys) for _ in range(size // UPDATE)]) for _ in range(_BATCHES)]


def _through_rllib(group: LearnerGroup, batches: Sequence[Rows]) -> None:
    for rows in batches:
        batch = MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(rows.columns())}, len(rows))
        result = group.update(batch=batch)
        float(result[0][DEFAULT_MODULE_ID]["loss"].peek())


def _bare(learning: Learning, batches: Sequence[Rows]) -> None:
    for rows in batches:
        float(torch.tensor(learning.learn(rows)["loss"]))


def _rate(work: Callable[[Sequence[Rows]], None], steps: Iterator[list[Rows]]) -> float:
    batches = next(steps)
    started_s = time.process_time()
    work(batches)
    return sum(map(len, batches)) / (time.process_time() - started_s)
