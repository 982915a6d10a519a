"""The algorithm's config: RLlib's own, and what streaming adds to it."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import gymnasium
import numpy as np
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from agent.deciding import Ending
from agent.errors import AgentError
from agent.history import OpenHistory
from agent.rllib.learner import BanditLearner
from agent.rllib.module import BanditModule
from agent.rllib.runner import StreamRunner
from agent.settings import AgentSettings
from agent.steps import Steps
from envs.features import Layout
from envs.session import OpenSession

_MORE = ("run_seed", "encoders", "queue_rows", "learner_workers", "ending", "open_history", "prepare", "steps")


class BanditConfig(AlgorithmConfig):
    """RLlib's config with the parts that streaming adds; set them by `streaming`."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class)
        self.agent = AgentSettings()
        self.layout: Layout | None = None
        self.open_session: OpenSession | None = None
        self.timer: Callable[[], float] | None = None
        self.run_seed = 0
        self.encoders: tuple[str, ...] = ()
        self.queue_rows = 8_192
        self.learner_workers = 0
        self.ending = Ending()
        self.open_history: OpenHistory | None = None
        self.prepare: Callable[[], None] | None = None
        self.steps: Callable[[], Steps] = Steps
        self.env_runners(
            env_runner_cls=StreamRunner,
            num_env_runners=1,
            num_cpus_per_env_runner=0,
            sample_timeout_s=60.0,
        )
        self.learners(num_learners=0)
        self.framework("torch")
        self.fault_tolerance(restart_failed_env_runners=True, delay_between_env_runner_restarts_s=0)
        self.reporting(min_time_s_per_iteration=None, min_sample_timesteps_per_iteration=0)
        # Slots, texts and candidates are ragged and never padded: the module does its own shaping.
        self.rl_module(rl_module_spec=None)

    def streaming(
        self,
        *,
        agent: AgentSettings,
        layout: Layout,
        open_session: OpenSession,
        timer: Callable[[], float],
        **more: Any,
    ) -> Self:
        """Sets what streaming needs.

        Args:
            agent: settings of the agent.
            layout: lengths of the feature blocks, the same for every runner.
            open_session: opens a runner's share of the log; picklable.
            timer: seconds from an arbitrary start.
            more: `run_seed`: every draw follows from it. `encoders`: names of the encoder actors, in process without.
                `queue_rows`: rows that a runner holds for the learner, and the learner for itself, before decisions
                wait. `learner_workers`: actors that add up shares of an update's rows; 0, and the learner does it
                alone. `ending`: when the runners end by themselves. `open_history`: opens the log for the driver, to
                read what a runner did not hand over; picklable, None where the log lives in the runner's process.
                `prepare`: called in each runner's process when it starts. `steps`: begins the record of a process's
                start, in each runner's.
        """
        self.agent, self.layout, self.open_session, self.timer = agent, layout, open_session, timer
        for name, value in more.items():
            if name not in _MORE:
                raise TypeError(f"streaming takes {', '.join(_MORE)}; got {name!r}")
            setattr(self, name, value)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (layout.context_total,), np.float32)
        self.action_space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(1_000)
        return self

    def validate(self) -> None:
        """RLlib's checks, and ours.

        Raises:
            AgentError: a remote learner is asked for, or a negative number of workers.
        """
        super().validate()
        if self.num_learners:
            raise AgentError(
                f"num_learners must be 0; got {self.num_learners}. The learner runs in the driver's process: its "
                f"checkpoints and the positions that it has learned belong together. learner_workers shares out what "
                f"an update computes"
            )
        if self.learner_workers < 0:
            raise AgentError(f"learner_workers must be 0 or more; got {self.learner_workers}")

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The bandit module, built from settings and layout."""
        if self.layout is None:
            raise TypeError("BanditConfig.streaming must be called; got no layout")
        model_config = {"settings": self.agent.model_dump(), "layout": asdict(self.layout)}
        return RLModuleSpec(
            module_class=BanditModule,
            observation_space=self.observation_space,
            action_space=self.action_space,
            model_config=model_config,
        )

    def get_default_learner_class(self) -> type[BanditLearner]:
        """The bandit learner."""
        return BanditLearner
