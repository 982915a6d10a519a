"""The algorithm: drain the runners, learn, hand out new weights. Decisions never wait for it."""

from collections import defaultdict, deque
from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from agent.deciding import Resolved
from agent.errors import AgentError
from agent.rllib.config import BanditConfig
from agent.rllib.report import RunnerReport
from stream.meter import Tally

_LONGEST_WAIT_S = 0.25
_UPDATES_A_STEP = 4
_SYNC_S = 10.0
_POSITIONS = "positions"
_LEARNER = -1


class BanditAlgorithm(Algorithm):
    """Ties runners and learner. One training step: drain, up to four updates, one hand-out of weights.

    An update takes `update_rows` resolved rows, or what there is after 250 ms.

    Attributes:
        worlds: what each runner's world says of itself, by the runner's index.
        ended: indices of the runners from which nothing more will come.
        learner_metrics: of the last update: loss, rows, refreshed.
        encoder_actors: handles that keep the encoders alive as long as this.
    """

    worlds: dict[int, dict[str, Any]]
    ended: set[int]
    learner_metrics: dict[str, float]
    encoder_actors: list[Any]

    @classmethod
    def get_default_config(cls) -> BanditConfig:
        """The config that this algorithm is built from."""
        return BanditConfig(algo_class=cls)

    def setup(self, config: BanditConfig) -> None:
        """Builds runners and learner."""
        self.worlds, self.ended, self.learner_metrics = {}, set(), {"loss": 0.0, "rows": 0.0, "refreshed": 0.0}
        self.runner_version, self.encoder_actors = "0.0", []
        self._tallies: dict[int, Tally] = defaultdict(Tally)
        self._waiting: deque[Resolved] = deque()
        self._positions: dict[int, int] = {}
        super().setup(config)
        self._updated_s = self._now()

    @property
    def version(self) -> str:
        """`epoch.n` of the learner's weights."""
        policy = self.learner_group._learner.module[DEFAULT_MODULE_ID].policy
        return str(policy.version)

    @property
    def finished(self) -> bool:
        """Whether all runners have ended and all that they resolved is learned."""
        return self._all_ended() and not self._waiting

    def take_tallies(self) -> dict[int, Tally]:
        """What each runner counted since the last call, by its index, and the learner under the index -1."""
        return {index: tally.take() for index, tally in self._tallies.items()}

    def training_step(self) -> None:
        """Drains the runners; learns what is due; hands out the weights."""
        results = self.env_runner_group.foreach_env_runner(
            "sample",
            local_env_runner=self.config.num_env_runners == 0,
            timeout_seconds=self.config.sample_timeout_s,
        )
        for report in results:
            self._take(report)
        updates = 0
        while updates < _UPDATES_A_STEP and (resolved := self._due()) is not None:
            self._update(resolved)
            updates += 1
        if updates:
            self.env_runner_group.sync_weights(
                from_worker_or_learner_group=self.learner_group, timeout_seconds=_SYNC_S, inference_only=True
            )

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and the next outcome of each partition to learn."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        state[_POSITIONS] = dict(self._positions)
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        super().set_state(state)
        self._positions = {int(number): offset for number, offset in state.get(_POSITIONS, {}).items()}

    def _now(self) -> float:
        if self.config.timer is None:
            raise AgentError("BanditConfig.streaming must be called; got no timer")
        return float(self.config.timer())

    def _take(self, report: RunnerReport) -> None:
        self._tallies[report.index].merge(report.tally)
        if report.world:
            self.worlds[report.index] = report.world
        self.runner_version = report.version
        if report.resolved is not None:
            fresh = self._refuse_repeats(report.resolved)
            if len(fresh):
                self._waiting.append(fresh)
        if report.failure is not None:
            raise AgentError(f"runner {report.index} must go on deciding; got {report.failure}")
        if report.ended:
            self.ended.add(report.index)

    def _refuse_repeats(self, resolved: Resolved) -> Resolved:
        """What was not seen yet; outcomes of a partition come in the order of their offsets."""
        fresh_R = resolved.offset_R >= [self._positions.get(int(number), 0) for number in resolved.partition_R]
        self._tallies[_LEARNER].count("outcomes_refused", float((~fresh_R).sum()))
        for number, offset in zip(resolved.partition_R.tolist(), resolved.offset_R.tolist(), strict=True):
            self._positions[number] = max(self._positions.get(number, 0), offset + 1)
        return resolved if fresh_R.all() else resolved.where(fresh_R)

    def _due(self) -> Resolved | None:
        rows = sum(map(len, self._waiting))
        enough = self.config.agent.update_rows
        waited = self._now() - self._updated_s >= _LONGEST_WAIT_S
        if not rows or (rows < enough and not waited and not self._all_ended()):
            return None
        everything = Resolved.concatenate(list(self._waiting))
        self._waiting.clear()
        if rows > enough:
            self._waiting.append(everything[enough:])
        return everything[:enough]

    def _update(self, resolved: Resolved) -> None:
        started_s = self._now()
        batch = SampleBatch(resolved.rows.columns())
        result = self.learner_group.update(batch=MultiAgentBatch({DEFAULT_MODULE_ID: batch}, len(resolved)))
        learned = result[0][DEFAULT_MODULE_ID]
        self.learner_metrics = {name: float(learned[name].peek()) for name in self.learner_metrics}
        self.metrics.log_value("mean_reward", float(resolved.rows.reward_R.mean()), window=20)
        self._updated_s = self._now()
        self._tallies[_LEARNER].count("learner_updates")
        self._tallies[_LEARNER].count("learner_rows", len(resolved))
        self._tallies[_LEARNER].observe("learner_update_ms", [1_000.0 * (self._updated_s - started_s)])
        self._tallies[_LEARNER].level("learner_loss", self.learner_metrics["loss"])

    def _all_ended(self) -> bool:
        return len(self.ended) >= max(int(self.config.num_env_runners), 1)
