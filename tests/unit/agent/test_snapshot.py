"""Snapshots of an agent: the one that was loaded acts like the one that was saved, and what is no snapshot is named."""

import json
import re

import pytest
from safetensors.numpy import load_file, save_file
from support.agents import agent_of, believed, encoder_of, impression, lessons, outcomes_of, state_of

from agent.bandit import BanditAgent
from agent.errors import SnapshotError

FORMS = ["text", "numeric", "mixed", "manner"]


def taught(form, counts=(40, 40), seed=3):
    agent = agent_of(form, seed=seed, refresh_rows=(64, 100))
    for lesson in lessons(agent, form, counts):
        agent.learn(lesson)
    return agent


def load(path, form="numeric"):
    return BanditAgent.load(path, encoder=encoder_of(form))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "snapshot"
    taught("numeric").save(path)
    return path


@pytest.mark.parametrize("counts", [(10,), (40, 40)], ids=["before the first refresh", "after it"])
@pytest.mark.parametrize("form", FORMS)
def test_what_was_loaded_acts_like_what_was_saved(form, counts, tmp_path):
    agent = taught(form, counts)
    agent.save(tmp_path)
    loaded = load(tmp_path, form)
    assert believed(loaded, form) == believed(agent, form)
    asked = [impression(form, number, slots=2) for number in range(20)]
    for one, other in zip(agent.decide(asked), loaded.decide(asked), strict=True):
        assert one.slate == other.slate  # drawn with the same seed
        assert one.knew == other.knew
        assert one.encoder_version == other.encoder_version
    assert (loaded.seed, loaded.settings) == (agent.seed, agent.settings)


@pytest.mark.parametrize("form", FORMS)
def test_learning_goes_on_identically_on_both_past_another_refresh(form, tmp_path):
    agent = taught(form)
    agent.save(tmp_path)
    loaded = load(tmp_path, form)
    for lesson in lessons(agent, form, (30, 30, 1), start=2_000):
        assert loaded.learn(lesson) == agent.learn(lesson)
    policy, *others = state_of(agent)
    loaded_policy, *loaded_others = state_of(loaded)
    assert loaded_policy == policy | {"epoch": 1}
    assert loaded_others == others
    assert believed(loaded, form) == believed(agent, form)


def test_users_are_kept_in_their_order_with_what_they_clicked(tmp_path):
    agent = taught("numeric")
    agent.learn(outcomes_of(agent, [impression("numeric", 5, user="clicked nothing")], rewards=0.0))
    agent.save(tmp_path)
    loaded = load(tmp_path)
    assert state_of(loaded)[2:] == state_of(agent)[2:]
    assert list(loaded.interests.users)[-1] == "clicked nothing"
    asked = [impression("numeric", 6, user=user) for user in ("u0", "u1", "never seen")]
    assert [shown.knew for shown in loaded.decide(asked)] == [shown.knew for shown in agent.decide(asked)]


def test_every_load_is_a_new_epoch_of_the_version(tmp_path):
    agent = taught("numeric")
    versions = []
    for _ in range(3):
        (shown,) = agent.decide([impression("numeric", 0)])
        versions.append(shown.policy_version)
        agent.save(tmp_path)
        agent = load(tmp_path)
    assert versions == ["0.2", "1.2", "2.2"]


def test_an_agent_that_decided_nothing_yet_comes_back_as_one(tmp_path):
    agent_of("numeric", seed=9).save(tmp_path)
    loaded = load(tmp_path)
    assert believed(loaded, "numeric") == believed(agent_of("numeric", seed=9), "numeric")
    assert loaded.seed == 9


def test_the_folder_holds_arrays_and_json_and_a_later_save_replaces_it(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["state.json", "tensors.safetensors"]
    later = taught("numeric", (40, 40, 5))
    later.save(saved)
    assert sorted(path.name for path in saved.iterdir()) == ["state.json", "tensors.safetensors"]
    state = json.loads((saved / "state.json").read_bytes())
    assert (state["format"], state["seed"]) == (1, 3)
    assert {"policy.expert.mean", "rows.reward_R", "users.vectors"} <= load_file(saved / "tensors.safetensors").keys()
    assert b"pickle" not in b"".join(path.read_bytes() for path in saved.iterdir())
    assert believed(load(saved), "numeric") == believed(later, "numeric")


# What is no snapshot


def assert_refused(path, reason):
    """Loading it raises the error that names it and says why."""
    with pytest.raises(SnapshotError, match=rf"(?s)got {re.escape(str(path))}: .*{reason}"):
        load(path)


def test_a_folder_without_a_snapshot_is_named(tmp_path):
    assert_refused(tmp_path, "No such file.*state.json")
    assert_refused(tmp_path / "missing", "No such file.*state.json")


@pytest.mark.parametrize("missing", ["state.json", "tensors.safetensors"])
def test_a_torn_snapshot_is_named(saved, missing):
    (saved / missing).unlink()
    assert_refused(saved, f"No such file.*{missing}")


def test_a_save_that_does_not_get_to_its_end_leaves_no_snapshot(saved, monkeypatch):
    monkeypatch.setattr("agent.snapshot.save_file", no_space)
    with pytest.raises(OSError, match="no space"):
        taught("numeric").save(saved)
    assert_refused(saved, "No such file.*state.json")


def no_space(arrays, path):
    path.write_bytes(b"half")
    raise OSError("no space")


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
@pytest.mark.parametrize("cut", [0.0, 0.5])
def test_a_file_that_was_cut_is_named(saved, name, cut):
    raw = (saved / name).read_bytes()
    (saved / name).write_bytes(raw[: int(cut * len(raw))])
    assert_refused(saved, "truncated" if name == "state.json" else "header")


def change_state(saved, **changes):
    state = json.loads((saved / "state.json").read_bytes())
    (saved / "state.json").write_text(json.dumps(state | changes))


def test_an_unknown_format_is_named(saved):
    change_state(saved, format=2)
    assert_refused(saved, "format must be 1; got 2")


def test_settings_that_are_not_known_are_named(saved):
    change_state(saved, settings={"scorer": "oracle"})
    assert_refused(saved, "scorer.*oracle")


def change_tensors(saved, change):
    tensors = load_file(saved / "tensors.safetensors")
    change(tensors)
    save_file(tensors, saved / "tensors.safetensors")


EXPERT = "policy.expert.mean"
MISFITS = {
    "another shape": (
        lambda tensors: tensors.update({EXPERT: tensors[EXPERT][:-1].copy()}),
        r"mismatch for expert\.mean",
    ),
    "a missing one": (lambda tensors: tensors.pop("policy.expert.eta"), r'Missing key.*"expert\.eta"'),
    "an unknown one": (lambda tensors: tensors.update({"policy.other": tensors[EXPERT]}), 'Unexpected key.*"other"'),
    "no users": (lambda tensors: tensors.pop("users.vectors"), r"users\.vectors must have the shape"),
    "short users": (
        lambda tensors: tensors.update({"users.vectors": tensors["users.vectors"][:, :1].copy()}),
        r"users\.vectors must have the shape",
    ),
    "no rewards": (lambda tensors: tensors.pop("rows.reward_R"), "kept rows must have the columns"),
    "short rewards": (
        lambda tensors: tensors.update({"rows.reward_R": tensors["rows.reward_R"][:-1].copy()}),
        "kept rows must have columns of equal length",
    ),
}


@pytest.mark.parametrize(("change", "reason"), MISFITS.values(), ids=MISFITS.keys())
def test_arrays_that_do_not_fit_are_named(saved, change, reason):
    change_tensors(saved, change)
    assert_refused(saved, reason)


def test_a_layout_that_is_not_known_is_named(saved):
    change_state(saved, layout={"text": 0, "context": 2, "candidate": 2, "image": 0})
    assert_refused(saved, "image")


def test_a_snapshot_that_names_no_engine_was_learned_with_the_weights_as_they_are(saved):
    path = next(saved.glob("*.json"))
    state = json.loads(path.read_text())
    assert state["settings"]["encoder"].pop("engine") == "onnx-int8"
    path.write_text(json.dumps(state))
    assert load(saved).settings.encoder.engine == "torch-fp32"
