"""Redundancy: nothing until evidence comes, the weight that clicks tell then, and no more than the prior grants."""

import numpy as np
import pytest
import torch

from agent.redundancy import FUNCTIONS, Redundancy, ramps
from agent.settings import SlateSettings
from agent.targets import Targets


def learned(effect, rows=40_000, chunk=250, **settings):
    """What is learned of rows whose logit moves by effect(alike)."""
    random, found = np.random.default_rng(0), Redundancy(SlateSettings(**settings))
    for _ in range(rows // chunk):
        alike_R, offset_R = random.uniform(-0.3, 1.0, chunk), random.normal(-1.0, 0.5, chunk)
        p_R = 1 / (1 + np.exp(-offset_R - effect(alike_R)))
        told = (random.random(chunk) < p_R).astype(float), np.ones(chunk), offset_R
        found.learn(alike_R, Targets(*map(torch.from_numpy, told)))
    return found


def test_nothing_changes_until_evidence_comes():
    assert Redundancy(SlateSettings()).effect(np.linspace(-1, 1, 9)).tolist() == [0.0] * 9


def test_what_resembles_nothing_is_left_alone_whatever_was_learned():
    found = learned(lambda a: -3.0 * (a > 0.5), rows=2_000)
    assert found.effect(np.array([-1.0, 0.0, 0.25])).tolist() == [0.0, 0.0, 0.0]
    assert ramps(np.array([1.0])).tolist() == [[1.0] * FUNCTIONS]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_effect_is_found_within_a_seventh_of_a_logit(sign):
    effect = lambda a: sign * 2.0 * np.clip(a - 0.25, 0.0, None) / 0.75  # noqa: E731
    at = np.array([0.4, 0.6, 0.8, 1.0])
    assert learned(effect).effect(at).numpy() == pytest.approx(effect(at), abs=0.15)


def test_the_posterior_of_one_row_by_hand():
    # one ramp's worth each at alike 1: b = (1, 1, 1), prior precision 1/4; p = .5, h = .25, pull = .5
    found = Redundancy(SlateSettings(sd_redundancy=2.0, memory_rows=1e12))
    found.learn(np.array([1.0]), Targets(*(torch.tensor([v], dtype=torch.float64) for v in (1.0, 1.0, 0.0))))
    assert found.mean.tolist() == pytest.approx([0.5 / (0.25 + 3 * 0.25)] * 3)


def test_forgetting_leads_back_to_the_prior():
    found = learned(lambda a: -2.0 * (a > 0.5), rows=5_000, memory_rows=2_000.0)
    before = float(found.effect(np.array([0.9]))[0])
    nothing = torch.zeros(0, dtype=torch.float64)
    found.learn(np.zeros(0), Targets(nothing, nothing, nothing))
    assert float(found.effect(np.array([0.9]))[0]) == pytest.approx(before)
    other = Redundancy(SlateSettings())
    other.carry(found, share=0.1)
    assert float(other.effect(np.array([0.9]))[0]) == pytest.approx(before)
    assert other.precision.diagonal().min() < found.precision.diagonal().min() + 0.25
