"""A saved policy for evaluation: a snapshot of `BanditAgent`, or the newest checkpoint of a run."""

from pathlib import Path

from agent import snapshot as snapshots
from agent.checkpoint import Checkpoint
from agent.encoder.local import local_encoder
from agent.learning import Learning
from agent.policy import Policy
from agent.sealed import MANIFEST, SealedFolders
from agent.settings import AgentSettings
from deploy.errors import EvaluateError
from deploy.evaluating.learned_target import Frozen
from envs.features import Featurizer, Layout
from envs.protocols import Encoder

_KIND = "checkpoint"


def load_policy(path: Path, agent: AgentSettings, encoder: Encoder | None = None) -> Frozen:
    """The policy of a snapshot folder, of a checkpoint folder, or of the newest one in a folder of checkpoints.

    It explores as it did; what is set of `agent.explore` takes its place. A checkpoint holds no settings of exploring,
    so those of `agent` are used.

    Args:
        path: the folder.
        agent: settings of this command.
        encoder: of texts; by default the one that the settings name.

    Raises:
        EvaluateError: there is no such policy, or it has not seen anything yet.
        SnapshotError, CheckpointError: what is there cannot be read, or is of another encoder.
    """
    if not path.is_dir():
        raise EvaluateError(f"--policy must name a folder of a snapshot or of checkpoints; got {path}")
    checkpoint = _checkpoint(path)
    if checkpoint is None and not any(each.is_file() for each in path.iterdir()):
        below = sorted(path.glob(f"*/{_KIND}-*/{MANIFEST}"))
        hint = f"; checkpoints are in {below[-1].parent.parent}" if below else ""
        raise EvaluateError(f"--policy folder must hold a snapshot or checkpoints; got {path} with neither{hint}")
    return _of_snapshot(path, agent, encoder) if checkpoint is None else _of_checkpoint(checkpoint, agent, encoder)


def _checkpoint(path: Path) -> Checkpoint | None:
    one = (path / MANIFEST).is_file()
    folders = SealedFolders(path.parent if one else path, _KIND, keep=1)
    for number, files in folders.newest_first():
        if not one or path.name == f"{_KIND}-{number:012d}":
            return Checkpoint.from_files(files)
    return None


def _of_snapshot(path: Path, asked: AgentSettings, encoder: Encoder | None) -> Frozen:
    with snapshots.reading(path):
        snapshot, settings, arrays = snapshots.read(path)
        layout = snapshots.layout_from(snapshot)
        if layout is None:
            raise EvaluateError(f"policy of {path} must have decided something; it knows no features yet")
        policy = Policy(_exploring(settings, asked), layout)
        policy.load_state_dict(snapshots.tensors_from(arrays))
    return Frozen(policy, _featurizer(settings, layout, encoder))


def _of_checkpoint(checkpoint: Checkpoint, asked: AgentSettings, encoder: Encoder | None) -> Frozen:
    settings = AgentSettings.model_validate({**asked.model_dump(), **checkpoint.state.settings})
    layout = Layout(**checkpoint.state.layout)
    featurizer = _featurizer(settings, layout, encoder)
    learning = Learning(Policy(settings, layout))
    checkpoint.restore_into(learning, featurizer.encoder_version)
    return Frozen(learning.policy, featurizer)


def _featurizer(settings: AgentSettings, layout: Layout, encoder: Encoder | None) -> Featurizer:
    encoder = local_encoder(settings.encoder) if encoder is None else encoder  # one that has read nothing is empty
    featurizer = Featurizer(settings.features, encoder)
    featurizer.fix(layout)
    return featurizer


def _exploring(settings: AgentSettings, asked: AgentSettings) -> AgentSettings:
    explicit = asked.explore.model_dump(include=asked.explore.model_fields_set)
    return settings.model_copy(update={"explore": settings.explore.model_copy(update=explicit)})
