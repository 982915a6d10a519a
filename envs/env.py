"""`StreamBanditEnv`: a log as a Gymnasium environment. One step is one decision; feedback comes when it closes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.core import Closed, Core
from envs.decision import Decision
from envs.spaces import Padded, action_space, empty, observation_space, pad, slate_of
from stream.events import Impression


@dataclass(frozen=True)
class EnvSettings:
    """The form of the environment.

    Attributes:
        max_candidates: K, to which observations are padded; an impression with more is an error here.
        slots: L, indices of an action.
        max_steps: decisions of an episode; None leaves the end to the log.
        poll_ms: how long to wait for the next impression; past it the episode is truncated.
    """

    max_candidates: int = 32
    slots: int = 1
    max_steps: int | None = None
    poll_ms: int = 1_000


class StreamBanditEnv(gymnasium.Env[Padded, Any]):
    """Impressions of a log as observations, indices of candidates as actions, closed rewards as rewards.

    `step` publishes the decision, with strategy `external` and no propensity, and returns the next impression.
    `reward` is the sum over what closed in this step; `info["outcomes"]` names each closed decision with its rewards.
    The episode is truncated, with `info["truncated_by"]`, where no impression comes in time or the bound is reached;
    at the end of a world everything open is closed in the last step (or the reset, where there was nothing to decide).

    Args:
        open_core: opens a core at its start for a seed (None where nobody set one); called by every `reset`.
        settings: form of the environment.

    References:
        Gymnasium, https://gymnasium.farama.org, class Env.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - the framework's declaration

    def __init__(self, open_core: Callable[[int | None], Core], settings: EnvSettings | None = None) -> None:
        self._open_core = open_core
        self._settings = settings or EnvSettings()
        self._core = open_core(None)
        self._fresh = True
        self._impression: Impression | None = None
        self._steps = 0
        layout = self._core.parts.featurizer.layout
        self.observation_space = observation_space(layout, self._settings.max_candidates)
        self.action_space = action_space(self._settings.max_candidates, self._settings.slots)

    @property
    def core(self) -> Core:
        """The core of the episode."""
        return self._core

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Padded, dict[str, Any]]:
        """Goes back to the start of the log and returns its first impression.

        A memory log and its world are built anew: the same seed gives the same episode, bit for bit. Kafka goes back
        to the committed position. `info["outcomes"]` names what closed before the first impression came.
        """
        super().reset(seed=seed, options=options)
        if not self._fresh or seed is not None:
            self._core.parts.log.close()
            self._core = self._open_core(seed)
        self._fresh = False
        self._impression = None
        self._steps = 0
        closed = self._next()
        return self._observe(), self._info(closed)

    def step(self, action: Any) -> tuple[Padded, float, bool, bool, dict[str, Any]]:  # noqa: ANN401 - int or array
        """Decides for the impression at hand; see the class."""
        if self._impression is None:
            raise gymnasium.error.ResetNeeded("step must follow a reset while an impression is at hand; got none")
        slots = min(self._settings.slots, self._impression.slots)
        slate, replaced = slate_of(action, slots, len(self._impression.candidates))
        self._core.parts.meter.count("actions_replaced", replaced)
        closed = self._core.publish([_external(slate)])
        self._steps += 1
        bounded = self._settings.max_steps is not None and self._steps >= self._settings.max_steps
        self._impression = None
        if not bounded:
            closed += self._next()
        truncated_by = "bound" if bounded else None if self._impression else "world" if self._core.ended else "poll"
        info = self._info(closed)
        if replaced:
            info["replaced"] = replaced
        if truncated_by is not None:
            info["truncated_by"] = truncated_by
        return self._observe(), _reward(closed), False, truncated_by is not None, info

    def close(self) -> None:
        """Releases the log."""
        self._core.parts.log.close()

    def _next(self) -> list[Closed]:
        """Polls, one record at a time, until an impression is at hand or none comes; returns what closed meanwhile.

        At the end of a world that is everything that was open.
        """
        closed: list[Closed] = []
        while self._impression is None:
            waiting = self._core.poll(max_records=1, timeout_ms=self._settings.poll_ms)
            if waiting:
                self._impression = waiting[0]
            elif self._core.received:
                closed += self._core.publish([])
            else:
                return closed + self._core.publish([], final=self._core.ended)
        return closed

    def _observe(self) -> Padded:
        if self._impression is None:
            return empty(self._core.parts.featurizer.layout, self._settings.max_candidates)
        return pad(self._core.observe([self._impression]), self._settings.max_candidates)

    def _info(self, closed: list[Closed]) -> dict[str, Any]:
        impression = self._impression
        return {
            "impression_id": impression.impression_id if impression else None,
            "user_id": impression.user_id if impression else None,
            "outcomes": [
                {"decision_id": each.outcome.recommendation.decision_id, "rewards": each.outcome.rewards}
                for each in closed
            ],
        }


def mask_of(observation: Padded) -> NDArray[np.bool_]:
    """Which indices are candidates, [K]."""
    return observation["action_mask"].astype(np.bool_)


def _external(slate: list[int]) -> Decision:
    unknown = (None,) * len(slate)
    return Decision(
        slate=tuple(slate),
        propensities=unknown,
        scores=unknown,
        probabilities=None,
        greedy_probability=None,
        strategy="external",
        policy_version="external",
        seed=0,
    )


def _reward(closed: list[Closed]) -> float:
    return float(sum(sum(each.outcome.rewards) for each in closed))
