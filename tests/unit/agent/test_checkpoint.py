"""What a checkpoint holds, whom it fits, and that a restored learner acts like the one that was saved."""

from hashlib import blake2b

import msgspec
import numpy as np
import pytest
import torch

from agent.checkpoint import STATE, TENSORS, Checkpoint
from agent.errors import CheckpointError
from agent.learned import Learned, places_of
from agent.learning import Learning
from agent.policy import Policy
from agent.settings import AgentSettings
from envs.features import Layout
from envs.observation import USER_SCALARS
from envs.rows import Rows

LAYOUT = Layout(text=0, context=3, candidate=4)
SETTINGS = {"features": {"text": "off", "context_dim": 3, "candidate_dim": 4}, "expert": {"refresh_rows": [64, 256]}}


def learning(layout=LAYOUT, **changed):
    return Learning(Policy(AgentSettings.model_validate(SETTINGS | changed), layout))


def rows(seed, count=100):
    random = np.random.default_rng(seed)
    return Rows(
        context_RC=random.normal(size=(count, 3)).astype(np.float32),
        user_RU=random.normal(size=(count, 4 + USER_SCALARS)).astype(np.float32),
        candidate_RD=random.normal(size=(count, 4)).astype(np.float32),
        item_R=np.arange(count) % 20,
        user_R=np.arange(count),
        reward_R=(random.random(count) < 0.3).astype(np.float32),
        propensity_R=np.where(random.random(count) < 0.1, np.nan, 0.5),
        slot_R=np.zeros(count, np.int64),
        alike_R=np.zeros(count, np.float32),
        weight_R=np.ones(count, np.float32),
        group_R=np.arange(count) % 10,
    )


def taught(*seeds):
    learner = learning()
    for seed in seeds:
        learner.learn(rows(seed))
    return learner


def saved(learner, **state):
    given = {"positions": {0: 7, 3: 12}, "learned": Learned().plus([(0, 6), (3, 11)], rows=2)} | state
    return Checkpoint.from_files(Checkpoint.of(learner, **given).files())


def test_a_restored_learner_goes_on_like_the_one_that_was_saved():
    learner = taught(1, 2)
    restored = learning()
    saved(learner).restore_into(restored)
    for each in (learner, restored):
        for seed in (3, 4):  # the second refresh lies in between
            each.learn(rows(seed))
    assert restored.policy.version == learner.policy.version
    for name, tensor in learner.policy.state_dict().items():
        assert torch.equal(restored.policy.state_dict()[name], tensor), name
    for name, array in learner.get_state().items():
        np.testing.assert_array_equal(restored.get_state()[name], array)


def test_it_keeps_positions_and_what_was_learned():
    state = saved(taught(1)).state
    assert state.positions == {0: 7, 3: 12}
    assert (state.learned.outcomes, state.learned.rows, state.updates) == (2, 2, 1)


def test_it_shares_no_memory_with_the_learner():
    learner = taught(1)
    checkpoint = Checkpoint.of(learner, {}, Learned())
    before = {name: array.copy() for name, array in checkpoint.arrays.items()}
    learner.learn(rows(2))
    for name, array in checkpoint.arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_scalars_stay_scalars():
    assert saved(taught(1)).arrays["policy.epoch"].shape == ()


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"expert": {"rank": 5}}, "agent.expert.rank: 16 there, 5 here"),
        ({"scorer": "cosine"}, "agent.scorer: 'expert' there, 'cosine' here"),
        ({"layout": Layout(text=0, context=2, candidate=4)}, "layout.context: 3 there, 2 here"),
        ({"update_rows": 128}, "agent.update_rows: 256 there, 128 here"),
        ({"delay": {"kept_clicks": 7}}, "agent.delay.kept_clicks: 2000 there, 7 here"),
    ],
)
def test_of_other_settings_it_says_what_differs_and_changes_nothing(other, named):
    mine = learning(**other)
    before = {name: tensor.clone() for name, tensor in mine.policy.state_dict().items()}
    with pytest.raises(CheckpointError, match="remove the checkpoints") as raised:
        saved(taught(1)).restore_into(mine)
    assert named in str(raised.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in mine.policy.state_dict().items())


def test_of_another_encoder_it_says_so():
    with pytest.raises(CheckpointError, match="encoder version: 'old' there, 'new' here"):
        saved(taught(1), encoder_version="old").restore_into(learning(), "new")


def test_a_layout_that_was_written_before_manners_were_read_fits_one_without():
    learner, mine = taught(1), learning()
    checkpoint = saved(learner)
    del checkpoint.state.layout["manner"]
    checkpoint.restore_into(mine)
    torch.testing.assert_close(mine.policy.state_dict(), learner.policy.state_dict(), rtol=0, atol=0)
    reading = learning(layout=Layout(text=0, context=3, candidate=4, manner=5))
    with pytest.raises(CheckpointError, match=r"layout.manner: 0 there, 5 here"):
        checkpoint.restore_into(reading)


def test_settings_that_do_not_shape_the_state_may_change():
    learner, mine = taught(1), learning(explore={"floor": 0.2})
    saved(learner).restore_into(mine)
    assert mine.policy.settings.explore.floor == 0.2
    torch.testing.assert_close(mine.policy.state_dict(), learner.policy.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("broken", [{}, {STATE: b"{"}, {STATE: b'{"format": 99}', TENSORS: b""}])
def test_files_of_another_format_are_an_error(broken):
    with pytest.raises(CheckpointError, match="must"):
        Checkpoint.from_files(broken)


def test_what_it_writes_is_json_and_safetensors():
    files = Checkpoint.of(taught(1), {0: 1}, Learned()).files()
    assert set(files) == {STATE, TENSORS}
    assert msgspec.json.decode(files[STATE])["positions"] == {"0": 1}
    assert int.from_bytes(files[TENSORS][:8], "little") < len(files[TENSORS])  # a header, not a pickle


def test_the_digest_is_the_documented_sum():
    expected = sum(int.from_bytes(blake2b(t, digest_size=8).digest(), "big") for t in (b"0:6", b"3:11")) % 2**64
    assert int(Learned().plus([(3, 11), (0, 6)], rows=2).digest, 16) == expected


def test_an_outcome_of_several_rows_counts_once():
    partition_R, offset_R = np.array([0, 0, 1, 1, 0]), np.array([5, 5, 5, 6, 7])
    assert places_of(partition_R, offset_R) == [(0, 5), (1, 5), (1, 6), (0, 7)]
