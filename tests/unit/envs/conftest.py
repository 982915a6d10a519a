"""Fixtures of the environment's tests."""

import pytest
from support.episodes import NUMERIC

from deploy.simulate import SimulateOptions, simulate


@pytest.fixture
def recorded(tmp_path):
    """What `streambandit simulate --out` writes: a world of 40 impressions, decided by a uniform choice."""
    path = tmp_path / "log.jsonl"
    simulate(NUMERIC, SimulateOptions(impressions=40, out=path))
    return path
