"""How the policy learns from resolved rows: each once, in order, with a refresh of the projections now and then."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent.calibration import Calibration
from agent.delay import DelayDistribution, Delays, OpenRows
from agent.errors import LearnError
from agent.kept import Kept
from agent.open_reading import OpenReading
from agent.policy import Policy
from agent.threads import one_thread
from envs.protocols import Floats
from envs.rows import Rows

_REPLAY_ROWS = 256
_FIT_ROWS = 4_096  # evenly spread; scales and components hardly change with more
_IDLE_SHARE = 4  # an idle network takes every fourth step
_STEPS_AT_ONCE = 4  # of the network, whose rows are read together
_DELAYS = ("delay_ms_C", "window_ms_C")
_APART = (*_DELAYS, "calibration_4B")
_MAY_BE_UNKNOWN = ("propensity_R", "exploring_R3")


class Learning:
    """Feeds rows to a policy. Keeps the last rows, so that a new projection starts with all that they taught.

    What it holds is settled: a fold over closed rows, the same however they are cut off and restored between two calls
    of `learn`. Open rows only pass through it, to what the policy's decisions read.

    At the row counts of the setting `refresh_rows` projections and prior are fitted anew and the kept rows replayed.
    The first refresh is taken as it comes; a later one is built beside the live policy and replaces it only if its
    progressive loss over the kept rows is lower.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._early = False
        self._reading = OpenReading(policy)
        self._kept = Kept(policy.settings.expert.buffer_rows)
        self._delays = DelayDistribution(policy.settings.delay)
        self.calibration = Calibration()

    def __len__(self) -> int:
        """Rows that are kept."""
        return len(self._kept)

    @property
    def fitted(self) -> bool:
        """Whether the projections have been fitted, so that rows teach at once."""
        return int(self.policy.rows) >= self.policy.settings.expert.refresh_rows[0]

    @one_thread()
    def learn(self, rows: Rows, delays: Delays | None = None) -> dict[str, float]:
        """Learns R rows. Decisions read what is settled alone, until open rows are provided again.

        Args:
            rows: of closed outcomes.
            delays: of their clicks, where they are known; they tell how much open rows count.

        Returns:
            `loss`: mean log loss of the rows before they were learned (0 while nothing is fitted); `rows`: rows so far;
            `refreshed`: 1 where the projections were replaced; `changed`: 1 where a change was noticed;
            `network_weight`: how much the network counts; `clipped`: its steps whose gradient was shortened.

        Raises:
            LearnError: a row is not finite, or a reward lies outside [0, 1]; nothing was learned.
        """
        _check(rows)
        self._settle()
        policy, before = self.policy, int(self.policy.rows)
        if delays is not None:
            self._delays.observe(delays)
        policy.updates.add_(1)
        if not len(rows):  # of an update in the live schedule all rows may have been left out
            return self._measures(loss=0.0)
        predicted_R = policy.learn(rows) if self.fitted else np.full(len(rows), np.nan, np.float32)
        if self.fitted:
            self.calibration.observe(predicted_R, rows.reward_R)
        self._kept.append(rows, predicted_R, int(policy.change.count))
        policy.rows.add_(len(rows))
        clipped = self._train(policy, len(self._kept), len(rows)) if self.fitted else 0
        alarm = policy.change.observe(predicted_R, rows.reward_R, int(policy.rows))
        changed = alarm and self._start_over()
        policy.level.observe(rows, changed=changed)
        due = any(before < at <= before + len(rows) for at in policy.settings.expert.refresh_rows)
        refreshed = self._refresh(first=before < policy.settings.expert.refresh_rows[0]) if due else False
        loss_R = _losses(predicted_R, rows.reward_R)
        loss = float(np.nanmean(loss_R)) if np.isfinite(loss_R).any() else 0.0
        return self._measures(loss, refreshed=refreshed, changed=changed, clipped=clipped)

    @one_thread()
    def provide(self, open_rows: OpenRows | None) -> None:
        """Lets decisions read open rows on top of what is settled, until the next `provide` or `learn`.

        While too few rows have closed for a first refresh, it takes as many open ones in its place, for as long.
        """
        self._settle()
        if open_rows is None or not self.policy.settings.delay.open_decisions:
            return
        weight_R = self._delays.weights(open_rows)
        if not self.fitted:
            if len(open_rows.rows) < self.policy.settings.expert.refresh_rows[0]:
                return
            some = slice(None, None, -(-len(open_rows.rows) // _FIT_ROWS))
            early = Policy(self.policy.settings, self.policy.layout)
            early.fit(open_rows.rows[some], weight_R[some])
            self._replace(early)
            self._early = True
        number_R = open_rows.number_R
        read = self._reading.of(open_rows.rows, number_R) if number_R is not None else None
        self.policy.provide(open_rows.rows, weight_R, read)

    def get_state(self) -> dict[str, Any]:
        """The kept rows, what was predicted of them, and the delays of the last clicks, as arrays."""
        return {**self._delays.get_state(), **self.calibration.get_state(), **self._kept.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        self._delays.set_state({name: state[name] for name in _DELAYS if name in state})
        self.calibration.set_state(state)
        self._kept.set_state({name: column for name, column in state.items() if name not in _APART})

    def _measures(
        self, loss: float, *, refreshed: bool = False, changed: bool = False, clipped: int = 0
    ) -> dict[str, float]:
        policy = self.policy
        return {
            "loss": loss,
            "rows": float(policy.rows),
            "refreshed": float(refreshed),
            "changed": float(changed),
            "clipped": float(clipped),
            "network_weight": float(policy.stack.weight[-1]) if policy.settings.network.steps else 0.0,
        }

    def _settle(self) -> None:
        """Lets decisions read what is settled alone."""
        self.policy.settle()
        if self._early:
            self._replace(Policy(self.policy.settings, self.policy.layout))
            self._early = False

    def _replace(self, policy: Policy) -> None:
        """Takes over what another policy learned, not how far it has come."""
        for name in ("rows", "updates", "epoch"):
            policy.get_buffer(name).copy_(self.policy.get_buffer(name))
        policy.change.load_state_dict(self.policy.change.state_dict())
        policy.level.load_state_dict(self.policy.level.state_dict())
        self.policy.load_state_dict(policy.state_dict())

    def _train(self, policy: Policy, rows: int, learned: int) -> int:
        """The network's steps for rows just learned, on the oldest `rows` of those kept, the recent ones more often.

        Returns:
            How many of them were clipped.
        """
        settings = policy.settings.network
        share = settings.steps / 256 / (_IDLE_SHARE if float(policy.stack.weight[-1]) < settings.idle_weight else 1)
        if not settings.steps:
            return 0
        due = int((int(policy.rows) + learned) * share) - int(int(policy.rows) * share)
        newer, clipped = len(self._kept) - rows, 0
        random = np.random.default_rng([int(policy.rows), newer])
        most = 1.0 - 0.5 ** (rows / settings.recent_rows)
        for start in range(0, due, _STEPS_AT_ONCE):
            u_R = random.random(settings.batch * min(_STEPS_AT_ONCE, due - start))
            ages = np.minimum((-settings.recent_rows * np.log2(1.0 - u_R * most)).astype(np.int64), rows - 1)
            mask_TR = _masks(self._kept.total - 1 - newer - ages, settings.towers)
            clipped += policy.steps(self._kept.rows(newer + ages), torch.from_numpy(mask_TR), settings.batch)
        return clipped

    def _start_over(self) -> bool:
        """After an alarm: forgets what was learned before the break, if what comes after is then better predicted.

        A copy that forgot learns the rows since the break anew. It replaces the policy if its progressive loss over
        them is lower.
        """
        since = min(int(self.policy.rows) - int(self.policy.change.start), len(self._kept))
        ages = np.arange(since - 1, -1, -1)
        rows, live_R = self._kept.rows(ages), self._kept.last("predicted_R", since)
        trial = deepcopy(self.policy)
        trial.forget()
        chunks = [rows[start : start + _REPLAY_ROWS] for start in range(0, since, _REPLAY_ROWS)]
        trial_R = np.concatenate([trial.learn(chunk) for chunk in chunks])
        if _losses(trial_R, rows.reward_R).sum() >= _losses(live_R, rows.reward_R).sum():
            return False
        trial.change.count.add_(1)
        self.policy.load_state_dict(trial.state_dict())
        self._kept.mark(since, int(trial.change.count))
        return True

    def _refresh(self, *, first: bool) -> bool:
        rows = self._kept.rows()
        reward_R, changed_R = rows.reward_R, self._kept.last("changed_R", len(rows))
        trial = Policy(self.policy.settings, self.policy.layout)
        trial.slates.carry(self.policy.slates)
        trial.fit(rows[:: -(-len(rows) // _FIT_ROWS)])
        predicted = []
        for start in range(0, len(rows), _REPLAY_ROWS):
            chunk = rows[start : start + _REPLAY_ROWS]
            if start and changed_R[start] != changed_R[start - 1]:
                trial.forget()
            predicted.append(trial.learn(chunk))
            trial.rows.add_(len(chunk))
            self._train(trial, start + len(chunk), len(chunk))
        trial_R, live_R = np.concatenate(predicted), self._kept.last("predicted_R", len(rows))
        judged = np.isfinite(live_R)
        worse = _losses(trial_R, reward_R)[judged].sum() >= _losses(live_R, reward_R)[judged].sum()
        if not first and judged.any() and worse:
            return False
        self._replace(trial)
        self._kept.predict(trial_R)
        return True


def _losses(predicted_R: Floats, reward_R: Floats) -> NDArray[np.float64]:
    """Log loss of each row; NaN where nothing was predicted."""
    p_R = np.clip(predicted_R.astype(np.float64), 1e-9, 1.0 - 1e-9)
    losses: NDArray[np.float64] = -(reward_R * np.log(p_R) + (1.0 - reward_R) * np.log1p(-p_R))
    return losses


def _masks(number_R: NDArray[np.int64], towers: int) -> NDArray[np.float32]:
    """Which towers see which rows [T, R]: half of them each, the same rows at every step."""
    mixed_TR = (number_R[None, :] * 2_654_435_761 + np.arange(towers)[:, None] * 40_503_000_017) >> 15
    return (mixed_TR & 1).astype(np.float32)


def sound(rows: Rows) -> NDArray[np.bool_]:
    """Which of R rows can be learned from: all of them but those with a number that is not finite."""
    told = [column for name, column in rows.columns().items() if name not in _MAY_BE_UNKNOWN]
    sound_R: NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(c.reshape(len(c), -1)).all(axis=1) for c in told])
    return sound_R


def _check(rows: Rows) -> None:
    for name, column in rows.columns().items():
        if name not in _MAY_BE_UNKNOWN and not np.isfinite(column).all():
            raise LearnError(f"rows {name} must be finite; got {column[~np.isfinite(column)][0]!r}")
    if len(rows) and not (rows.reward_R.min() >= 0 and rows.reward_R.max() <= 1):
        raise LearnError(f"rows reward_R must be in [0, 1]; got {rows.reward_R.min()!r} to {rows.reward_R.max()!r}")
