"""What the benchmark of workers shows: rates, and ratios to learning without workers that are taken within a repeat."""

import numpy as np

from deploy.bench.learners import Gains, table


def test_ratios_are_taken_within_a_repeat():
    gains = Gains(4_096, (0, 2), np.array([[1_000.0, 1_500.0], [2_000.0, 2_000.0], [1_000.0, 2_000.0]]))
    assert table([gains]).splitlines()[2:] == [
        "| 4,096 | 0 | 1,000 | 1.00 (1.00 to 1.00) |",
        "| 4,096 | 2 | 2,000 | 1.50 (1.25 to 1.75) |",
    ]
