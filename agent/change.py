"""Change detection: do clicks still come as often as they were predicted?"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.settings import ChangeSettings

_LEAST = 1e-6


class Change(nn.Module):
    """Page's test on the prediction loss: of what was predicted, against the same with every click `ratio` as likely.

    The sum of the differences of the two log losses starts anew whenever it falls below 0; an alarm is raised where it
    passes the threshold. While predictions hold it falls; after a break it rises fast, as the policy then shows what it
    wrongly takes for good.

    Attributes:
        sum: the statistic.
        start: rows learned when it last stood at 0: the break, if there was one, came after that.
        count: changes that were taken for real so far.
        last: rows learned when the last alarm was raised.

    References:
        Page (1954), Continuous inspection schemes; Hinkley (1971), Inference about the change-point from cumulative
        sum tests.
    """

    sum: Tensor
    start: Tensor
    count: Tensor
    last: Tensor

    def __init__(self, settings: ChangeSettings) -> None:
        super().__init__()
        self._settings = settings
        self.register_buffer("sum", torch.zeros((), dtype=torch.float64))
        for name in ("start", "count", "last"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))

    def observe(self, predicted_R: NDArray[np.float32], reward_R: NDArray[np.float32], rows: int) -> bool:
        """Takes in R rows; whether they raise an alarm.

        Args:
            predicted_R: probabilities of their rewards before they were learned; NaN where there were none.
            reward_R: their rewards.
            rows: rows learned so far, these included.
        """
        told_R = np.isfinite(predicted_R)
        p_R = np.clip(predicted_R[told_R].astype(np.float64), _LEAST, 1.0 - _LEAST)
        ratio = self._settings.ratio
        gain_R = reward_R[told_R] * np.log(ratio) + (1.0 - reward_R[told_R]) * np.log((1.0 - ratio * p_R) / (1.0 - p_R))
        total, start = float(self.sum), int(self.start)
        for row, gain in enumerate(gain_R.tolist(), start=rows - len(gain_R) + 1):
            total += gain
            if total <= 0.0:
                total, start = 0.0, row
        self.sum.fill_(total)
        self.start.fill_(start)
        ready = rows >= self._settings.min_rows and rows - int(self.last) >= self._settings.apart_rows
        if total < self._settings.threshold or not ready:
            return False
        self.sum.zero_()
        self.last.fill_(rows)
        return True
