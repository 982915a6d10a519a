"""The log of a mediocre policy is nearly worth as many own decisions: the claim of docs/apprentice.md, in small.

Measured over these seeds, lift of the incumbent, alone and after its log: .386 .800 .782; .432 .860 .839; .337 .820
.782: shares of .978, .976 and .954. The bound is the goal of the long form. The seeds are fixed, so the test passes or
fails for good.
"""

from pathlib import Path

import numpy as np

from deploy.bench.apprentice import ALONE, APPRENTICE, INCUMBENT, Length, run_way
from deploy.bench.results import Task
from deploy.bench.running import Place

LENGTH = Length(logged=5_000, own=1_000)
SEEDS = (0, 1, 2)
LEAST = 0.8


def lift(way, seed):
    return run_way(LENGTH, Task("linear", seed, way, LENGTH.logged + LENGTH.own), Place(Path(), Path())).lift


def test_the_start_after_a_log_is_near_what_as_many_own_decisions_reach():
    shares = []
    for seed in SEEDS:
        incumbent, alone, after = (lift(way, seed) for way in (INCUMBENT, ALONE, APPRENTICE))
        assert incumbent < after
        shares.append(after / alone)
    assert np.mean(shares) >= LEAST
