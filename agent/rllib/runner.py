"""The runner: decides on a thread of its own; RLlib's calls only drain what closed and bring new weights."""

import gc
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import ray
import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from agent.deciding import DecidingLoop
from agent.errors import AgentError, EncoderError
from agent.garbage import keep_what_is_there
from agent.open_evidence import Mark
from agent.open_look import OpenLook
from agent.resolved import Resolved, Span
from agent.restoring import closed_up_to
from agent.rllib.handover import Handover, HandoverQueue
from agent.rllib.open_feed import OpenFeed, open_feed, share_of
from agent.rllib.refetch import encoder_of
from agent.rllib.report import RunnerReport
from agent.rllib.staleness import Staleness
from agent.rllib.weights import Inbox, Revision, Weights
from agent.user_snapshots import UserStores
from envs.features import Featurizer
from envs.session import Session, Share
from stream.errors import AccessError, StreamError
from stream.meter import Tally

_STOP_S = 10.0
_WAIT_S = 0.1
_log = logging.getLogger("streambandit.runner")


class StreamRunner(EnvRunner, Checkpointable):
    """Owns a share of the log. Decisions go on while the learner works, and while nobody calls.

    The runner of index 0 beside remote ones only holds the module, as RLlib wants it; it opens no log.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        torch.set_num_threads(1)
        self._steps = self.config.steps()
        self._steps.reached("imported")
        self.meter = Tally()
        self._staleness = Staleness(self.meter)
        self.module: Any = None
        self._session: Session | None = None
        self._loop: DecidingLoop | None = None
        self._feed: OpenFeed | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._winding_down = threading.Event()
        self._inbox = Inbox()
        self._seq_no = 0
        self._swapped_s = 0.0
        self._handed_s = 0.0
        self._failure: str | None = None
        self._queue = HandoverQueue(self.config.queue_rows)
        if self.config.prepare is not None and self.worker_index:
            self.config.prepare()
        self.make_module()
        if self.worker_index:
            gc.freeze()  # what is imported stays: a full collection looked through it for 140 ms while decisions waited
        self._steps.reached("built")

    def make_module(self) -> None:
        """Builds the module from the config."""
        self.module = self.config.get_rl_module_spec().build()

    def make_env(self) -> None:
        """Opens this runner's share of the log."""
        config = self.config
        encoder = encoder_of(config)
        if encoder is not None:
            encoder.meter = self.meter
        featurizer = Featurizer(config.agent.features, encoder)
        featurizer.fix(config.layout)  # what is open from an earlier run is read before any impression comes
        share = Share(
            index=max(self.worker_index - 1, 0),
            count=max(config.num_env_runners, 1),
            featurizer=featurizer,
            users=UserStores(config.agent.interests),
            meter=self.meter,
        )
        self._session = config.open_session(share)
        settings = share_of(config.agent.delay, config.num_env_runners)
        self._feed = open_feed(self._session, settings, config.run_seed)
        book = self._feed.book if self._feed is not None else None
        self._loop = DecidingLoop(self._session, self.module, config.run_seed, config.ending, book, overlap=True)
        self._swapped_s = self._handed_s = self._now()
        self._steps.reached("log")

    def sample(
        self,
        room: int = 1_000_000,
        lacking: int = 1,
        *,
        wind_down: bool = False,
        looked: Mapping[int, int] | None = None,
        **_: Any,
    ) -> RunnerReport:
        """What closed since the last call, with everything counted; the first call starts the decisions.

        Args:
            room: rows that the driver can take now, about; counts come without.
            lacking: rows that the driver lacks for an update; this waits a little for as many.
            wind_down: end after the micro-batch at hand; what is open stays open in the log.
            looked: the last look at open decisions that the driver has of each runner; it comes with this call or a
                later one. None asks for none.
        """
        if looked is not None and self._feed is not None:
            self._feed.ask(looked.get(self.worker_index, 0))
        if wind_down:
            self._winding_down.set()
        if self._thread is None and self._failure is None and not self._over():
            self._start()
        ended = not self._retrying() and (self._thread is None or not self._thread.is_alive())
        handover = Handover.joined(self._queue.take(room, lacking, 0.0 if ended else _WAIT_S))
        if handover.look is not None and self._feed is not None:
            self._feed.taken()
        return RunnerReport(
            index=self.worker_index,
            handover=handover,
            version=self.module.version,
            ended=ended and not self._queue,
            failure=self._failure,
            steps=self._steps.take("decided"),
        )

    def get_metrics(self) -> Any:
        """RLlib's own metrics; what this project counts travels with `sample`."""
        return self.metrics.reduce()

    def get_spaces(self) -> dict[str, Any]:
        """The spaces of the config, under the names that RLlib asks for."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, INPUT_ENV_SINGLE_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def assert_healthy(self) -> None:
        """Raises AgentError if deciding broke off."""
        if self._failure is not None:
            raise AgentError(f"runner {self.worker_index} must decide; got {self._failure}")

    def stop(self) -> None:
        """Ends deciding after the micro-batch at hand, and closes the log."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        if self._session is not None:
            self._session.close()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """What the module decides with; positions and open decisions are the log's."""
        state: dict[str, Any] = {WEIGHTS_SEQ_NO: self._seq_no}
        if self._check_component(COMPONENT_RL_MODULE, components, not_components):
            state[COMPONENT_RL_MODULE] = {DEFAULT_MODULE_ID: self.module.get_state(**kwargs | {"inference_only": True})}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Keeps a whole state for the next micro-batch, as RLlib sends it; one older than that in use is left out."""
        if COMPONENT_RL_MODULE not in state:
            return
        seq_no = state.get(WEIGHTS_SEQ_NO, 0)
        if seq_no and seq_no < self._seq_no:  # with the same number come the same updates, and what is open since
            return
        weights = state[COMPONENT_RL_MODULE]
        if isinstance(weights, ray.ObjectRef):
            weights = ray.get(weights)
        self._seq_no = seq_no or self._seq_no
        self.take_weights(Weights.of_state(self.module.policy, weights.get(DEFAULT_MODULE_ID, weights)))

    def take_weights(self, weights: Weights) -> Revision | None:
        """Keeps weights for the next micro-batch; returns on which revision the next may build."""
        self._inbox.put(weights)
        if self._thread is None:
            self._swap()
        return self._inbox.base

    def wait_for_weights(self, deadline_s: float = 10.0) -> "StreamRunner":
        """Returns itself once the newest weights decide.

        Raises:
            AgentError: they did not within the deadline.
        """
        if not self._inbox.emptied.wait(deadline_s):
            raise AgentError(f"runner {self.worker_index} must take new weights within {deadline_s} s; it did not")
        return self

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[()], dict[str, Any]]:
        """What RLlib needs to build the same runner again."""
        return (), {"config": self.config}

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """The module."""
        return [(COMPONENT_RL_MODULE, self.module)]

    def _start(self) -> None:
        try:
            self.make_env()
        except Exception as error:  # noqa: BLE001 - raised here, RLlib would restart this actor for ever
            if _restarted() and isinstance(error, StreamError | EncoderError) and not isinstance(error, AccessError):
                _log.warning("runner %d cannot open its log yet: %s", self.worker_index, error)
                self.meter.count("log_errors", label=type(error).__name__)
                self._queue.put(Handover(tally=self.meter.take()), 0.0)
                return
            self._failure = f"{type(error).__name__}: {error}"
            return
        keep_what_is_there()
        self._thread = threading.Thread(target=self._decide, name="decide", daemon=True)
        self._thread.start()

    def _over(self) -> bool:
        return self._stopping.is_set() or self._winding_down.is_set()

    def _retrying(self) -> bool:
        """Whether the next call tries once more to open the log: it opened for the runner that this one replaces."""
        return self._thread is None and self._failure is None and not self._over()

    def _swap(self) -> None:
        knows = self._inbox.open(self.module.policy)
        if knows is not None:
            self._swapped_s = self._now()
            self._staleness.swapped(knows, self.worker_index, self._swapped_s)

    def _decide(self) -> None:
        loop = self._loop
        try:
            while loop is not None and not self._over() and not loop.ended:
                self._swap()
                self._step(loop)
            self._hand_over(self._land(loop) if loop is not None else None)
        except Exception as error:  # noqa: BLE001 - whatever ends the thread must reach the driver
            self._failure = f"{type(error).__name__}: {error}"

    def _step(self, loop: DecidingLoop) -> None:
        try:
            resolved = loop.step()
        except AccessError:  # a right is missing, which trying again does not bring
            raise
        except (StreamError, EncoderError) as error:
            self.meter.count("log_errors", label=type(error).__name__)
            _log.warning("the batch at hand starts again: %s", error)
            self._stopping.wait(0.1)  # the log says itself what to wait for; this only keeps a broken one from spinning
            return
        if self.meter.counters.get(("decisions", "")):
            self._steps.reached("decided")
        look = self._look(loop)
        if resolved is not None or look is not None or self._now() - self._handed_s >= _WAIT_S or loop.ended:
            self._hand_over(resolved, look)

    def _land(self, loop: DecidingLoop) -> Resolved | None:
        """What closed with the batch on its way; where it fails, whoever goes on finds it undecided."""
        try:
            return loop.land()
        except (StreamError, EncoderError) as error:
            _log.warning("the last batch is left to the next run: %s", error)
            return None

    def _look(self, loop: DecidingLoop) -> OpenLook | None:
        if self._feed is None:
            return None
        self._staleness.joined(loop.joined, self._now())
        look = self._feed.look()
        if look is not None:
            self._staleness.looked(look.number)
        return look

    def _hand_over(self, resolved: Resolved | None, look: OpenLook | None = None) -> None:
        self._handed_s = self._now()
        self.meter.level("policy_staleness_seconds", self._handed_s - self._swapped_s)
        world = self._session.world() if self._session is not None else {}
        spans = self._loop.take_spans() if self._loop is not None else ()
        self._staleness.closed(spans, self._handed_s)
        clicks = self._loop.take_clicks() if self._loop is not None else ()
        handover = Handover(resolved, spans, self.meter.take(), world, clicks, self._marks(spans), look)
        while not self._stopping.is_set():
            if self._queue.put(handover, _WAIT_S):
                self.meter.level("queue_rows", self._queue.rows)
                return
            self.meter.count("queue_full")  # back-pressure: outcomes are committed, so waiting loses nothing

    def _marks(self, spans: Iterable[Span]) -> tuple[Mark, ...]:
        """How far the partitions of spans had closed where these end: as committed, since the core is further on."""
        if self._session is None or self._feed is None:
            return ()
        log = self._session.core.parts.log
        closed_ms = closed_up_to(log, log.assignment() & {span.partition for span in spans})
        return tuple(
            Mark(span.partition, span.stop, closed_ms[span.partition]) for span in spans if span.partition in closed_ms
        )

    def _now(self) -> float:
        return self._session.timer() if self._session is not None else 0.0


def _restarted() -> bool:
    """Whether this process replaces one that died."""
    return bool(ray.is_initialized() and ray.get_runtime_context().was_current_actor_reconstructed)
