"""Sampling tells where time goes, by functions that there are; the picture of it is drawn."""

import ast
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from deploy.bench.speed.anatomy import DECIDING, LEARNING
from deploy.bench.speed.anatomy_picture import draw
from deploy.bench.speed.sampling import OTHER, Sampler

HERE = "bench/test_speed_anatomy.py"
ROOT = Path(__file__).parents[4]


def work(seconds):
    end_s = time.process_time() + seconds
    while time.process_time() < end_s:
        sum(range(100))


def long_work():
    work(0.9)


def short_work():
    work(0.3)


def inner():
    work(0.3)


def outer():
    inner()


def test_time_is_shared_out_among_the_innermost_stages():
    sampler = Sampler({(HERE, "long_work"): "long", (HERE, "short_work"): "short", (HERE, "outer"): "short"})
    before = signal.getsignal(signal.SIGPROF)
    with sampler.sampling():
        long_work()
        short_work()
        outer()
        work(0.3)  # of no stage
    assert signal.getsignal(signal.SIGPROF) == before
    seconds = sampler.seconds()
    assert sampler.spent_s >= 1.8
    assert np.isclose(sum(seconds.values()), sampler.spent_s)
    share = {stage: each / sampler.spent_s for stage, each in seconds.items()}
    assert set(share) == {"long", "short", OTHER}
    assert abs(share["long"] - 0.5) < 0.12  # 450 samples where the kernel looks each 4 ms
    assert abs(share["short"] - 1 / 3) < 0.12


def test_an_inner_stage_takes_its_time_from_the_outer_one():
    sampler = Sampler({(HERE, "outer"): "outer", (HERE, "inner"): "inner"})
    with sampler.sampling():
        outer()
    assert sampler.samples["inner"] > 20
    assert sampler.samples["outer"] <= 2


def test_the_picture_has_a_bar_for_each_stage(tmp_path):
    path = tmp_path / "made" / "anatomy.png"
    draw({"believe": 60.0, "commit": 50.0}, {"expert": 80.0}, path)
    assert imread(path).std() > 0.05


@pytest.mark.parametrize(("file", "function"), sorted({**DECIDING, **LEARNING}))
def test_every_stage_is_a_function_that_there_is(file, function):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
