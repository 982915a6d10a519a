"""How the policy learns from resolved rows: each once, in order, with a refresh of the projections now and then."""

from copy import deepcopy
from typing import Any

import numpy as np

from agent.delay import DelayDistribution, Delays, OpenRows
from agent.errors import LearnError
from agent.policy import Policy
from agent.threads import one_thread
from envs.protocols import Floats
from envs.rows import Rows

_REPLAY_ROWS = 256
_FIT_ROWS = 4_096  # evenly spread; scales and components hardly change with more


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
        self._parts: list[Rows] = []
        self._losses: list[Floats] = []
        self._delays = DelayDistribution(policy.settings.delay)

    def __len__(self) -> int:
        """Rows that are kept."""
        return sum(map(len, self._parts))

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
            `refreshed`: 1 where the projections were replaced.

        Raises:
            LearnError: a row is not finite, or a reward lies outside [0, 1]; nothing was learned.
        """
        _check(rows)
        before = int(self.policy.rows)
        if delays is not None:
            self._delays.observe(delays)
        loss_R = self.policy.learn(rows) if self.fitted else np.zeros(len(rows), np.float32)
        self._keep(rows, loss_R)
        self.policy.rows.add_(len(rows))
        self.policy.updates.add_(1)
        due = any(before < at <= before + len(rows) for at in self.policy.settings.expert.refresh_rows)
        refreshed = self._refresh(first=before < self.policy.settings.expert.refresh_rows[0]) if due else False
        loss = float(loss_R.mean()) if len(rows) else 0.0
        return {"loss": loss, "rows": float(self.policy.rows), "refreshed": float(refreshed)}

    @one_thread()
    def provide(self, open_rows: OpenRows | None) -> None:
        """Lets decisions read open rows on top of what is settled, until the next `provide` or `learn`."""
        if open_rows is None:
            self.policy.expert.settle()
        elif self.policy.settings.delay.open_decisions and self.fitted:
            self.policy.provide(open_rows.rows, self._delays.weights(open_rows))

    def get_state(self) -> dict[str, Any]:
        """The kept rows, their losses and the delays of the last clicks, as arrays."""
        delays = self._delays.get_state()
        if not self._parts:
            return delays
        return {**delays, **Rows.concatenate(self._parts).columns(), "loss_R": np.concatenate(self._losses)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        columns = dict(state)
        losses = columns.pop("loss_R", None)
        self._delays.set_state({name: columns.pop(name) for name in ("delay_ms_C", "window_ms_C") if name in columns})
        parts = [Rows(**columns)] if columns else []
        if sum(map(len, parts)) != (0 if losses is None else len(losses)):
            raise LearnError(f"kept rows must have a loss each; got {sum(map(len, parts))} rows")
        self._losses = [] if losses is None else [losses]
        self._parts = parts

    def _keep(self, rows: Rows, loss_R: Floats) -> None:
        self._parts.append(rows)
        self._losses.append(loss_R)
        spare = len(self) - self.policy.settings.expert.buffer_rows
        while spare > 0:
            spare -= len(self._parts[0])
            if spare >= 0:
                del self._parts[0], self._losses[0]
            else:
                self._parts[0], self._losses[0] = self._parts[0][spare:], self._losses[0][spare:]

    def _refresh(self, *, first: bool) -> bool:
        rows, live_loss_R = Rows.concatenate(self._parts), np.concatenate(self._losses)
        trial = deepcopy(self.policy)
        trial.fit(rows[:: -(-len(rows) // _FIT_ROWS)])
        chunks = [rows[start : start + _REPLAY_ROWS] for start in range(0, len(rows), _REPLAY_ROWS)]
        trial_loss_R = np.concatenate([trial.learn(chunk) for chunk in chunks])
        judged = live_loss_R > 0
        if not first and judged.any() and trial_loss_R[judged].mean() >= live_loss_R[judged].mean():
            return False
        self.policy.load_state_dict(trial.state_dict())
        self._parts, self._losses = [rows], [trial_loss_R]
        return True


def _check(rows: Rows) -> None:
    for name, column in rows.columns().items():
        if name != "propensity_R" and not np.isfinite(column).all():
            raise LearnError(f"rows {name} must be finite; got {column[~np.isfinite(column)][0]!r}")
    if len(rows) and not (rows.reward_R.min() >= 0 and rows.reward_R.max() <= 1):
        raise LearnError(f"rows reward_R must be in [0, 1]; got {rows.reward_R.min()!r} to {rows.reward_R.max()!r}")
