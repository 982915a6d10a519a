"""What slates add to the policy: predictions tell whether a row is seen, and one slot changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.learning_rows import LAYOUT, rows

from agent.inputs import inputs_of_rows
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings, SlateSettings

EXAMINED = 0.4
ALONE = {"steps": 0}  # the experts without the network, which is the slowest to learn


def slates(seed, count, examined=EXAMINED):
    """Rows of slates of two slots; the second is seen less often."""
    one = rows(seed, count)
    slot_R = np.arange(count) % 2
    seen_R = np.random.default_rng([seed, 1]).random(count) < np.where(slot_R > 0, examined, 1.0)
    return replace(one, slot_R=slot_R, reward_R=(one.reward_R * seen_R).astype(np.float32))


def learned(settings, *batches):
    learning = Learning(Policy(settings, LAYOUT))
    metrics = [learning.learn(batch) for batch in batches]
    return learning, metrics


def test_with_one_slot_the_settings_of_slates_change_nothing_bit_for_bit():
    batches = [rows(seed, 256) for seed in range(4)]
    on, _ = learned(AgentSettings(), *batches)
    off, _ = learned(AgentSettings(slates=SlateSettings(examination=False, redundancy=False)), *batches)
    other = off.policy.state_dict()
    for name, value in on.policy.state_dict().items():
        assert name.startswith("slates.") or torch.equal(value, other[name]), name
    assert int(on.policy.slates.rows) == 0
    assert on.policy.slates.resemblance(np.zeros((3, 4), np.float32)) is None


def test_rewards_are_compared_with_what_is_seen_and_attractive():
    learning, _ = learned(AgentSettings(network=ALONE), *(slates(seed, 512) for seed in range(20)))
    policy, batch = learning.policy, slates(99, 4_096)
    examined = float(policy.slates.examination.examined_L[1])
    assert examined == pytest.approx(EXAMINED, rel=0.1)
    first, second = batch.where(batch.slot_R == 0), batch.where(batch.slot_R == 1)
    as_first = replace(second, slot_R=np.zeros(len(second), np.int64))
    state = {name: value.clone() for name, value in policy.state_dict().items()}
    predicted_R = policy.learn(second)
    policy.load_state_dict(state)
    np.testing.assert_allclose(predicted_R, examined * policy.learn(as_first), rtol=1e-5)
    assert predicted_R.mean() == pytest.approx(second.reward_R.mean(), rel=0.15)
    assert first.reward_R.mean() > 2.0 * second.reward_R.mean()
    ratio = learning.calibration.measures()["calibration_ratio"]
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_what_was_not_seen_does_not_count_against_the_item():
    # the same tastes, with and without position bias: what is believed of candidates is the same but for chance
    batches = [(slates(seed, 512), slates(seed, 512, examined=1.0)) for seed in range(20)]
    asked = rows(77, 2_000)
    logits = {}
    for name, place, settings in (
        ("biased", 0, SlateSettings()),
        ("blind", 0, SlateSettings(examination=False)),
        ("unbiased", 1, SlateSettings()),
    ):
        learning, _ = learned(AgentSettings(slates=settings, network=ALONE), *(pair[place] for pair in batches))
        logits[name] = torch.logit(torch.from_numpy(learning.policy.learn(asked))).numpy().mean()
    assert abs(logits["biased"] - logits["unbiased"]) < 0.15
    assert logits["blind"] < logits["unbiased"] - 0.3


def test_open_rows_count_as_far_as_they_are_seen():
    learning, _ = learned(AgentSettings(network=ALONE), *(slates(seed, 512) for seed in range(10)))
    policy, unclicked = learning.policy, replace(slates(50, 512), reward_R=np.zeros(512, np.float32))
    asked = policy.read(inputs_of_rows(rows(77, 500)))
    before = float(policy.expert.logit(asked).mean())
    falls = []
    for slot in (0, 1):
        policy.provide(replace(unclicked, slot_R=np.full(512, slot)), np.ones(512))
        falls.append(before - float(policy.expert.logit(asked).mean()))
    assert 0.0 < falls[1] < 0.6 * falls[0]


def test_candidates_change_each_other_once_slates_were_learned():
    learning, _ = learned(AgentSettings(), *(slates(seed, 512) for seed in range(3)))
    vectors = np.ones((3, 4), np.float32)
    found = learning.policy.slates.resemblance(vectors)
    assert found.vector_NE.shape == (3, 4)
    assert found.weight_F.tolist() == learning.policy.slates.redundancy.mean.tolist()
    proportional = AgentSettings(slates=SlateSettings(later_slots="proportional"))
    learning, _ = learned(proportional, *(slates(seed, 512) for seed in range(3)))
    assert learning.policy.slates.resemblance(vectors) is None
