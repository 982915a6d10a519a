"""Where a run begins: what a folder holds becomes the learner's state, of the same settings, at places of its own."""

import numpy as np
import pytest
from support.agents import agent_of, outcomes_of
from support.agents import impression as impression_of

from agent.checkpoint import Checkpoint
from agent.errors import CheckpointError, SnapshotError
from agent.learned import Learned
from agent.learning import Learning
from agent.policy import Policy
from agent.sealed import SealedFolders
from agent.settings import AgentSettings
from deploy.compose import settle
from deploy.errors import HistoryError
from deploy.settings import Settings
from deploy.starting import read_start, with_start
from envs.features import Layout

ENCODER_DIM = 64


@pytest.fixture(scope="module", params=["numeric", "mixed"])
def agent(request):
    found = agent_of(request.param)
    for batch in range(0, 600, 200):
        found.learn(outcomes_of(found, [impression_of(request.param, batch + number) for number in range(200)]))
    return found


def learner(settings, layout):
    return Learning(Policy(settings, layout))


def settled(agent, **changes):
    """The settings as a run has them that leaves the features to the folder."""
    layout = agent._featurizer.layout
    return settle(AgentSettings(**changes), layout.text, layout.candidate)


def test_where_the_manner_of_texts_is_read_it_is_as_long_as_an_embedding():
    assert settle(AgentSettings(encoder={"manner": 8}), ENCODER_DIM)[1] == Layout(ENCODER_DIM, 0, 0, manner=ENCODER_DIM)
    assert settle(AgentSettings(), ENCODER_DIM)[1] == Layout(ENCODER_DIM, 0, 0)
    assert settle(AgentSettings(encoder={"manner": 8}), 0)[1] == Layout(0, 0, 0)


def test_a_run_goes_on_with_what_a_snapshot_learned(agent, tmp_path):
    agent.save(tmp_path, {1: 40})
    start = read_start(tmp_path)
    assert (start.state.positions, start.state.learned) == ({1: 40}, Learned())
    learning = learner(*settled(agent))
    start.restore_into(learning, agent._featurizer.encoder_version)
    for name, tensor in agent._learning.policy.state_dict().items():
        np.testing.assert_array_equal(learning.policy.state_dict()[name].numpy(), tensor.numpy(), err_msg=name)
    for name, column in agent._learning.get_state().items():
        np.testing.assert_array_equal(learning.get_state()[name], column, err_msg=name)


def test_other_settings_or_another_encoder_are_named(agent, tmp_path):
    agent.save(tmp_path)
    start = read_start(tmp_path)
    with pytest.raises(CheckpointError, match=r"agent.expert.sd_item: 0.7 there, 0.3 here"):
        start.restore_into(learner(*settled(agent, expert={"sd_item": 0.3})), agent._featurizer.encoder_version)
    with pytest.raises(CheckpointError, match="encoder version"):
        start.restore_into(learner(*settled(agent)), "another")


def test_checkpoints_of_another_run_are_begun_from_without_its_places(agent, tmp_path):
    folders = SealedFolders(tmp_path, "checkpoint", keep=3)
    learned = Learned().plus([(0, 2)], rows=1)
    kept = Checkpoint.of(agent._learning, {0: 3}, learned, "version")
    folders.save(1, kept.files())
    start = read_start(tmp_path)
    assert (start.state.positions, start.state.learned) == ({}, Learned())
    assert start.state.updates == kept.state.updates
    np.testing.assert_array_equal(start.arrays["policy.rows"], kept.arrays["policy.rows"])


def test_the_folder_tells_the_features_that_settings_leave_open(agent, tmp_path):
    agent.save(tmp_path)
    layout = agent._featurizer.layout
    found = with_start(Settings(checkpoint={"start": tmp_path})).agent.features
    assert (found.text, found.context_dim, found.candidate_dim) == (
        "on" if layout.text else "off",
        layout.context,
        layout.candidate,
    )
    told = Settings(checkpoint={"start": tmp_path}, agent={"features": {"context_dim": 5, "text": "on"}})
    assert (with_start(told).agent.features.context_dim, with_start(told).agent.features.text) == (5, "on")
    assert with_start(Settings()) == Settings()


def test_what_cannot_be_begun_from_is_named(tmp_path):
    with pytest.raises(SnapshotError, match="folder that `save` wrote"):
        read_start(tmp_path)
    agent_of("numeric").save(tmp_path)
    with pytest.raises(HistoryError, match="has learned nothing yet"):
        read_start(tmp_path)
