"""Whoever can write a snapshot's folder must not be able to run code in who loads it: nothing of it is unpickled."""

import io
import json
import pickle
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from support.agents import agent_of, impression, outcomes_of

from agent.bandit import BanditAgent
from agent.checkpoint import Checkpoint
from agent.errors import AgentError
from agent.sealed import MANIFEST, SealedFolders


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def forms(mark: Path) -> dict[str, bytes]:
    """A pickle alone, and as torch and numpy would hold it."""
    plain = pickle.dumps(Planted(mark))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", plain)
        file.writestr("archive/version", "3")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + plain
    return {"pickle": plain, "torch": archive.getvalue(), "numpy": array}


def test_the_plants_would_run_where_something_is_unpickled(tmp_path):
    mark = tmp_path / "ran"
    pickle.loads(forms(mark)["pickle"])  # noqa: S301 - to see that it does
    assert mark.exists()


@pytest.mark.parametrize("form", ["pickle", "torch", "numpy"])
def test_an_agents_snapshot_runs_nothing(form, tmp_path):
    folder, mark = tmp_path / "snapshot", tmp_path / "ran"
    agent = agent_of("numeric")
    agent.learn(outcomes_of(agent, [impression("numeric", number) for number in range(20)]))
    agent.save(folder)
    names = [path.name for path in folder.iterdir() if path.is_file()]
    assert names
    for name in (*names, "data.pkl", "policy.pt", "class_and_ctor_args.pkl"):
        whole = (folder / name).read_bytes() if name in names else None
        (folder / name).write_bytes(forms(mark)[form])
        if whole is None:
            BanditAgent.load(folder)
        else:
            with pytest.raises(AgentError):
                BanditAgent.load(folder)
            (folder / name).write_bytes(whole)
        assert not mark.exists(), name


@pytest.mark.parametrize("form", ["pickle", "torch", "numpy"])
@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors", MANIFEST, "data.pkl"])
def test_a_sealed_folder_and_a_checkpoint_run_nothing(form, name, tmp_path):
    """Also where who planted it has sealed it again."""
    mark = tmp_path / "ran"
    folders = SealedFolders(tmp_path / "kept", "checkpoint", 3)
    planted = forms(mark)[form]
    files = {"state.json": b"{}", "tensors.safetensors": b""} | ({} if name == MANIFEST else {name: planted})
    folder = folders.save(1, files)
    if name == MANIFEST:
        (folder / MANIFEST).write_bytes(planted)
        assert list(folders.newest_first()) == []
    else:
        ((_, found),) = folders.newest_first()
        assert json.loads((folder / MANIFEST).read_text())["files"][name]["sha256"] == sha256(planted).hexdigest()
        with pytest.raises(AgentError):
            Checkpoint.from_files(found)
    assert not mark.exists()
