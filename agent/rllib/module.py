"""The policy as an RLlib `RLModule`: one level around `Policy`, whose buffers are all of its state."""

from typing import Any

import numpy as np
import torch
from ray.rllib.core.rl_module.torch import TorchRLModule

from agent.explore import Belief
from agent.inputs import inputs_of_columns, inputs_of_observation
from agent.policy import Policy
from agent.rllib.weights import unread
from agent.settings import AgentSettings, ExploreSettings
from envs.features import Layout
from envs.observation import Observation

LOGIT, SD, INPUTS = "logit", "sd", "inputs"


class BanditModule(TorchRLModule):
    """Scores candidates. Its model config holds the agent's settings and the layout of features, as plain data.

    Forward passes for deciding take `inputs` (see `Inputs`) and return `logit` and `sd` [N]; the one for training takes
    the columns of `Rows` and returns the `logit` [R] of the shown.
    """

    def setup(self) -> None:
        """Builds the policy."""
        settings = AgentSettings.model_validate(self.model_config["settings"])
        self.policy = Policy(settings, Layout(**self.model_config["layout"]))

    def _forward_inference(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        logit_N, sd_N = self.policy.score(batch[INPUTS])
        return {LOGIT: logit_N, SD: sd_N}

    def _forward_exploration(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self._forward_inference(batch)

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {LOGIT: self.policy.logit(inputs_of_columns(batch))}

    def get_state(self, *_: Any, inference_only: bool = False, **__: Any) -> dict[str, Any]:
        """All buffers as arrays, in their own precision, which RLlib would reduce.

        Args:
            inference_only: leaves out what deciding never reads.
        """
        kept = {
            n: v for n, v in self.state_dict().items() if not (inference_only and unread(n.removeprefix("policy.")))
        }
        return {name: value.numpy().copy() for name, value in kept.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave; what was left out stays as it is."""
        self.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()}, strict=False)

    @property
    def version(self) -> str:
        """`epoch.n` of the weights."""
        return self.policy.version

    @property
    def explore(self) -> ExploreSettings:
        """How to explore."""
        return self.policy.settings.explore

    @torch.no_grad()
    def believe(self, observation: Observation) -> Belief:
        """What the policy believes of the candidates, through RLlib's own forward pass."""
        inputs = inputs_of_observation(observation)
        out = self.forward_exploration({INPUTS: inputs})
        return self.policy.belief(inputs, observation.counts_B, out[LOGIT], out[SD])
