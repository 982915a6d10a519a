"""Where a run without a checkpoint of its own begins: a folder of `streambandit learn`, or another's checkpoints."""

import logging
from dataclasses import asdict, replace
from pathlib import Path

import msgspec

from agent import snapshot as snapshots
from agent.checkpoint import Checkpoint, State, shaping
from agent.errors import CheckpointError
from agent.learned import Learned
from agent.rllib.algorithm import BanditAlgorithm
from agent.sealed import SealedFolders
from deploy.errors import HistoryError
from deploy.settings import Settings
from envs.features import FeatureSettings, Layout

_log = logging.getLogger("streambandit.resume")


def read_start(path: Path) -> Checkpoint:
    """The learner's state in a folder.

    Its positions are those of the topic that `learn` read; of another run's checkpoint there are none, for its topic
    may be another one.

    Raises:
        HistoryError: there is nothing to begin from.
        SnapshotError, CheckpointError: what is there cannot be read.
    """
    for _, files in SealedFolders(path, "checkpoint", keep=1).newest_first():
        found = Checkpoint.from_files(files)
        return replace(found, state=msgspec.structs.replace(found.state, positions={}, learned=Learned()))
    with snapshots.reading(path):
        snapshot, settings, arrays = snapshots.read(path)
    if snapshot.layout is None:
        raise HistoryError(f"checkpoint.start must hold what was learned; got {path}, which has learned nothing yet")
    layout = Layout(**snapshot.layout)
    features = FeatureSettings(
        text="on" if layout.text else "off", context_dim=layout.context, candidate_dim=layout.candidate
    )
    state = State(
        epoch=int(arrays["policy.epoch"].item()),
        updates=int(arrays["policy.updates"].item()),
        positions=snapshot.positions,
        learned=Learned(),
        layout=asdict(layout),
        encoder_version=snapshot.encoder_version,
        settings=shaping(settings.model_copy(update={"features": features})),
    )
    learning = {name.removeprefix("rows."): each for name, each in arrays.items() if name.startswith("rows.")}
    policy = {name: each for name, each in arrays.items() if name.startswith("policy.")}
    return Checkpoint(state, policy | {f"learning.{name}": each for name, each in learning.items()})


def with_start(settings: Settings) -> Settings:
    """The settings, with what they leave open of the features as `checkpoint.start` has it.

    Raises:
        HistoryError, SnapshotError, CheckpointError: the folder cannot be begun from.
    """
    if settings.checkpoint.start is None:
        return settings
    there = FeatureSettings(**read_start(settings.checkpoint.start).state.settings["features"])
    mine = settings.agent.features
    features = FeatureSettings(
        text=there.text if mine.text == "auto" else mine.text,
        context_dim=there.context_dim if mine.context_dim is None else mine.context_dim,
        candidate_dim=there.candidate_dim if mine.candidate_dim is None else mine.candidate_dim,
    )
    agent = settings.agent.model_copy(update={"features": features})
    return settings.model_copy(update={"agent": agent})


def begin(algorithm: BanditAlgorithm, path: Path) -> dict[int, int]:
    """Sets a new algorithm's learner to what a folder holds; the caller raises the epoch and hands the weights out.

    Returns:
        The next outcome of the topic to learn, by partition; empty where the folder does not say.

    Raises:
        HistoryError, SnapshotError, CheckpointError: the folder cannot be begun from, or is of other settings.
    """
    start = read_start(path)
    try:
        algorithm.begin(start)
    except CheckpointError as error:
        raise HistoryError(f"checkpoint.start {path} cannot be begun from: {error}") from error
    _log.info("begins from %s: version %d.%d", path, start.state.epoch, start.state.updates)
    return start.state.positions


def begin_apart(algorithm: BanditAlgorithm, path: Path | None) -> None:
    """As `begin`, in a new epoch and before the first step, for a run that keeps no checkpoints; None does nothing."""
    if path is not None:
        begin(algorithm, path)
        algorithm.learning.policy.epoch.add_(1)
        algorithm.start_with_weights()
