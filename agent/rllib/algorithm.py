"""The algorithm: drain the runners, learn, hand out new weights. Decisions never wait for it."""

import logging
from collections import defaultdict
from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from agent.checkpoint import Checkpoint
from agent.errors import AgentError, EncoderError
from agent.history import History
from agent.learned import Learned, places_of
from agent.learning import Learning
from agent.ledger import Ledger
from agent.resolved import Resolved
from agent.rllib.adding import Workers
from agent.rllib.config import BanditConfig
from agent.rllib.hand_out import HandOut
from agent.rllib.learner import BanditLearner
from agent.rllib.provisional import LONGEST_WAIT_S, Provisional
from agent.rllib.refetch import Refetch
from agent.rllib.report import RunnerReport
from agent.rllib.runners import Runners
from agent.rllib.staleness import Knows
from agent.rllib.update_counts import COUNTED, count_update
from stream.errors import StreamError
from stream.meter import Tally

_MOST_UPDATE = 4  # times `update_rows` that one update takes where so many wait: a row costs less in a large one
_FETCH_OUTCOMES = 1_024
_RETRY_S = 1.0
_POSITIONS = "positions"
_LEARNED = "learned"
_LEARNER = -1
_MEASURES = ("loss", "rows", "refreshed", "network_weight", *COUNTED.values())
_log = logging.getLogger("streambandit.learner")


class BanditAlgorithm(Algorithm):
    """Ties runners and learner. One training step: drain, an update where one is due, one hand-out of weights.

    An update takes `update_rows` resolved rows or what there is after 250 ms, and up to four times as many where they
    wait; the rows of one outcome stay together.
    The weights that go out have the runners' open decisions in them as well; what is learned and saved has not.
    The state that a restart needs is `checkpoint` and `restore`. RLlib's own `save_to_path` and `restore_from_path`
    work as well, but reading what they wrote UNPICKLES it, which runs whatever code a forged file holds: use them
    only for files that nobody else could have written.

    Attributes:
        runners: what they told of themselves, and whether they have ended.
        learner_metrics: of the last update, as `Learning.learn` returns them, and the rows `skipped`.
        encoder_actors: handles that keep the encoders alive as long as this.
        history: the log, as the driver reads it; None where it lives in the runners' processes.
        ledger: what was handed over, and what of it is learned.
    """

    runners: Runners
    learner_metrics: dict[str, float]
    encoder_actors: list[Any]
    history: History | None
    ledger: Ledger

    @classmethod
    def get_default_config(cls) -> BanditConfig:
        """The config that this algorithm is built from."""
        return BanditConfig(algo_class=cls)

    def setup(self, config: BanditConfig) -> None:
        """Builds runners, learner and its workers."""
        self.learner_metrics, self.encoder_actors = dict.fromkeys(_MEASURES, 0.0), []
        self._tallies: dict[int, Tally] = defaultdict(Tally)
        self._refetch = Refetch(config, self._tallies[_LEARNER])
        self.history = config.open_history() if config.open_history is not None else None
        self.ledger = Ledger(self._tallies[_LEARNER], self.history, self._refetch)
        self._retry_s = float("-inf")
        super().setup(config)
        self.runners = Runners(
            self.env_runner_group,
            int(config.num_env_runners),
            timeout_s=config.sample_timeout_s,
            log_tells=self.history is not None,
        )
        self._updated_s = self._now()
        self._provisional = Provisional(self.learning, self._now, self._tallies[_LEARNER])
        self._hand_out = HandOut(self.env_runner_group, self.learning.policy, self._tallies[_LEARNER])
        self._workers = self._start_workers(config.learner_workers)

    @property
    def learning(self) -> Learning:
        """The learner's state beside RLlib's."""
        learning: Learning = self._learner.learning_of(DEFAULT_MODULE_ID)
        return learning

    @property
    def version(self) -> str:
        """`epoch.n` of the learner's weights."""
        return self.learning.policy.version

    @property
    def finished(self) -> bool:
        """Whether all runners have ended and all that they resolved is learned."""
        return self.runners.all_ended and not self.ledger

    def take_tallies(self) -> dict[int, Tally]:
        """What each runner counted since the last call, by its index, and the learner under the index -1."""
        return {index: tally.take() for index, tally in self._tallies.items()}

    def training_step(self) -> None:
        """Drains the runners; reads from the log what they did not hand over; learns what is due; hands out weights."""
        self._drain()
        learned = self.learn_due(less=self.runners.all_ended)
        if self._provisional.due(learned=learned):
            self.hand_out_weights()

    def learn_due(self, *, less: bool) -> bool:
        """An update, if one is due; returns whether it was.

        Args:
            less: whether it may be made of fewer rows than usual at once.
        """
        self._fill()
        enough = self.config.agent.update_rows
        waited = self._now() - self._updated_s >= LONGEST_WAIT_S
        resolved = self.ledger.take(enough, _MOST_UPDATE * enough, less=less or waited)
        if resolved is not None:
            self._update(resolved)
        self._tallies[_LEARNER].level("learner_rows_waiting", self.ledger.rows)
        return resolved is not None

    def hand_out_weights(self) -> None:
        """Gives every runner what it lacks of the learner's weights, with what is open now in them."""
        self._provisional.provide(self.ledger.positions)
        started_s = self._now()
        self._hand_out.send(self.runners.ended, Knows(dict(self.ledger.positions), self._provisional.evidence.known()))
        self._tallies[_LEARNER].observe("learner_hand_out_ms", [1_000.0 * (self._now() - started_s)])

    def start_with_weights(self) -> None:
        """Gives the learner's weights to every runner, and makes sure that they have them, before the first step.

        Raises:
            AgentError: a runner did not take them.
        """
        self.hand_out_weights()
        self.runners.require_version(self.version)

    def count(self, name: str, amount: float, label: str) -> None:
        """Counts something among the learner's counts."""
        self._tallies[_LEARNER].count(name, amount, label)

    def wind_down(self) -> None:
        """Lets the runners end after the micro-batch at hand; further steps take in and learn what is left."""
        self.runners.wind_down()

    def checkpoint(self) -> Checkpoint:
        """Settled state as it is between two updates; runners keep what they have."""
        self.learning.provide(None)
        return Checkpoint.of(self.learning, self.ledger.positions, self.ledger.learned, self._refetch.encoder_version)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes back what `checkpoint` gave, into the learner; the caller raises the epoch and hands the weights out.

        Raises:
            CheckpointError: it is of other settings.
        """
        self.begin(checkpoint)
        self.ledger.restore(checkpoint.state.positions, checkpoint.state.learned)

    def begin(self, checkpoint: Checkpoint) -> None:
        """Takes what another learner had learned, and not its positions: those stay as they are.

        Raises:
            CheckpointError: it is of other settings.
        """
        self.learning.provide(None)
        checkpoint.restore_into(self.learning, self._refetch.encoder_version)

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Runners that died and are back get the weights of now; in place of RLlib's, whose local runner has none."""
        restored: list[int] = env_runner_group.probe_unhealthy_env_runners()
        for index in restored:
            self._provisional.evidence.forget(index)
            self._hand_out.forget(index)
            self._tallies[_LEARNER].count("runner_restarts")
            _log.warning("runner %d died and is back", index)
        if restored:
            self.hand_out_weights()
        return restored

    def cleanup(self) -> None:
        """Ends runners, learner and its workers, and closes the log."""
        super().cleanup()
        if self._workers is not None:
            self._workers.close()
        if self.history is not None:
            self.history.close()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and the next outcome of each partition to learn."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        state[_POSITIONS] = dict(self.ledger.positions)
        state[_LEARNED] = self.ledger.learned
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        super().set_state(state)
        positions = {int(number): offset for number, offset in state.get(_POSITIONS, {}).items()}
        self.ledger.restore(positions, state.get(_LEARNED, Learned()))

    @property
    def _learner(self) -> BanditLearner:
        learner: BanditLearner = self.learner_group._learner
        return learner

    def _start_workers(self, count: int) -> Workers | None:
        if not count:
            return None
        workers = Workers(count, self._tallies[_LEARNER])
        workers.serve(self.learning.policy)
        return workers

    def _now(self) -> float:
        if self.config.timer is None:
            raise AgentError("BanditConfig.streaming must be called; got no timer")
        return float(self.config.timer())

    def _drain(self) -> None:
        """Takes what runners hold, as far as there is room."""
        room = max(self.config.queue_rows - self.ledger.rows, 0)
        lacking = max(self.config.agent.update_rows - self.ledger.rows, 1)
        for report in self.runners.ask(room=room, lacking=lacking, looked=self._provisional.looked()):
            self._take(report)
        self.runners.give_up_dead()

    def _take(self, report: RunnerReport) -> None:
        handover = report.handover
        self._tallies[report.index].merge(handover.tally)
        self.ledger.receive(handover.resolved, handover.spans)
        self._provisional.receive(report, self.ledger.positions)
        self.runners.note(report)

    def _fill(self) -> None:
        """Reads missing outcomes from the log, a part at a time; where that fails, it is tried again a little later."""
        if self._now() < self._retry_s:
            return
        try:
            self.ledger.fill(_FETCH_OUTCOMES, self.config.queue_rows)
        except (StreamError, EncoderError) as error:
            self._tallies[_LEARNER].count("log_errors", label=type(error).__name__)
            _log.warning("outcomes cannot be read from the log yet: %s", error)
            self._retry_s = self._now() + _RETRY_S

    def _update(self, resolved: Resolved) -> None:
        started_s = self._now()
        batch = SampleBatch(resolved.rows.columns())
        delays = self._provisional.delays.take(places_of(*resolved.places()))
        self._learner.tell_delays(DEFAULT_MODULE_ID, delays)
        result = self.learner_group.update(batch=MultiAgentBatch({DEFAULT_MODULE_ID: batch}, len(resolved)))
        self.ledger.learnt(resolved)
        learned = result[0][DEFAULT_MODULE_ID]
        self.learner_metrics = {name: float(learned[name].peek()) for name in self.learner_metrics}
        self.metrics.log_value("mean_reward", float(resolved.rows.reward_R.mean()), window=20)
        self._updated_s = self._now()
        took_s = self._updated_s - started_s
        count_update(self._tallies[_LEARNER], self.learning, self.learner_metrics, len(resolved), took_s)
        if self.learner_metrics["changed"]:
            _log.warning("readers changed: most of what %d rows taught is forgotten", self.learner_metrics["rows"])
