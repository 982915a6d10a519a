"""The learner: RLlib's update on columnar rows, whose loss is what the closed forms had predicted of them."""

from dataclasses import fields
from typing import Any

import torch
from ray.rllib.core.learner.torch.torch_learner import TorchLearner

from agent.delay import Delays
from agent.learning import Learning, sound
from envs.rows import Rows

LEARNING = "learning"


class BanditLearner(TorchLearner):
    """Feeds each minibatch to `Learning` once, without rows that hold a number that is not finite.

    All of the policy is learned there, without RLlib's gradients, so no forward pass stands before it.

    Its state holds the kept rows besides module and optimiser.
    Weights alone, as runners get them, have open decisions in them; the whole state is settled.
    """

    def build(self) -> None:
        """Builds the module, and one `Learning` for each policy in it."""
        super().build()
        self._learnings = {module_id: Learning(self.module[module_id].policy) for module_id in self.module.keys()}  # noqa: SIM118 - a module, not a dict
        self._delays: dict[str, Delays] = {}

    def learning_of(self, module_id: str) -> Learning:
        """What a policy learns with."""
        return self._learnings[module_id]

    def tell_delays(self, module_id: str, delays: Delays) -> None:
        """Says how long the clicks took on the rows of the next update of a policy."""
        self._delays[module_id] = delays

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """An optimiser where the module has weights to learn by gradient; the expert has none."""
        if self.get_parameters(self.module[module_id]):
            super().configure_optimizers_for_module(module_id, config)

    def compute_loss_for_module(
        self,
        *,
        module_id: str,
        config: Any,  # noqa: ARG002 - RLlib's signature
        batch: dict[str, Any],
        fwd_out: dict[str, Any],  # noqa: ARG002
    ) -> torch.Tensor:
        """Learns the rows; returns their mean log loss before that, which has no gradient."""
        rows = Rows(**{field.name: batch[field.name].numpy() for field in fields(Rows)})
        sound_R = sound(rows)
        learned = self._learnings[module_id].learn(rows.where(sound_R), self._delays.pop(module_id, None))
        for name, value in {**learned, "skipped": float((~sound_R).sum())}.items():
            self.metrics.log_value((module_id, name), value, window=1)
        return torch.tensor(learned["loss"])

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and the kept rows of each policy."""
        whole = self._check_component(LEARNING, components, not_components)
        if whole:
            self._settle()
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if whole:
            state[LEARNING] = {module_id: each.get_state() for module_id, each in self._learnings.items()}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave; a restored policy begins a new epoch."""
        self._settle()
        super().set_state(state)
        for module_id, kept in state.get(LEARNING, {}).items():
            self._learnings[module_id].set_state(kept)
            self._learnings[module_id].policy.epoch.add_(1)

    def _settle(self) -> None:
        for each in self._learnings.values():
            each.provide(None)
