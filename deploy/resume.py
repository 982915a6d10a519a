"""Going on where the last run stood: restore the learner, learn what closed since, and only then let anybody decide."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from agent.errors import CheckpointError
from agent.history import History, newest_epoch
from agent.learned import Learned
from agent.rllib.algorithm import BanditAlgorithm
from deploy.keeping import CheckpointKeeper
from deploy.starting import begin

_PAUSE_S = 0.02
_log = logging.getLogger("streambandit.resume")


def resume(
    algorithm: BanditAlgorithm,
    keeper: CheckpointKeeper,
    rebuild_outcomes: int,
    stopping: Callable[[], bool],
    start: Path | None = None,
) -> bool:
    """Restores the newest whole checkpoint, or rebuilds the learner from the topic of outcomes; before the first step.

    The outcomes behind the checkpoint are learned up to the end of the topic. Then the weights get an epoch that no
    decision was made in, and a checkpoint of that epoch is written before they are handed out: so no version ever
    names two sets of weights, however often one checkpoint is started from.

    Args:
        algorithm: new, over a log that the driver can read.
        keeper: of the group's checkpoints.
        rebuild_outcomes: without a checkpoint: the newest offsets of each partition that are learned, at most.
        stopping: whether to break off.
        start: without a checkpoint: folder whose learner is gone on with (see `deploy.starting`).

    Returns:
        Whether everything that had closed is learned; false where it was broken off.

    Raises:
        CheckpointError: the checkpoint is of other settings or of another log.
        HistoryError: `start` cannot be begun from.
        SnapshotError: no checkpoint can be written.
        LogUnavailableError: the log did not answer in time.
    """
    history = algorithm.history
    if history is None:
        raise CheckpointError("resuming needs a log that the driver can read; got none")
    epoch = _restore(algorithm, history, keeper, rebuild_outcomes, start)
    behind = _catch_up(algorithm, stopping)
    known = [each for each in (epoch, newest_epoch(history)) if each is not None]
    algorithm.learning.policy.epoch.fill_(max(known) + 1 if known else 0)
    number = keeper.save(algorithm.checkpoint())
    algorithm.start_with_weights()
    told = (number, algorithm.version, behind, algorithm.ledger.learned.outcomes)
    _log.info("checkpoint %d written, version %s: %d outcomes learned after the restore, %d in all", *told)
    return not algorithm.ledger


def _catch_up(algorithm: BanditAlgorithm, stopping: Callable[[], bool]) -> int:
    """Learns the outcomes that lie in the log now, unless it is broken off; returns how many it learned."""
    before = algorithm.ledger.learned.outcomes
    algorithm.ledger.fetch_up_to_ends()
    while algorithm.ledger and not stopping():
        if not algorithm.learn_due(less=not algorithm.ledger.missing):
            time.sleep(_PAUSE_S)  # the log or the encoder is away for a moment
    return algorithm.ledger.learned.outcomes - before


def _restore(
    algorithm: BanditAlgorithm, history: History, keeper: CheckpointKeeper, rebuild: int, start: Path | None
) -> int | None:
    """Restores a checkpoint or starts from what the log has; returns the epoch, None where nothing had been learned."""
    ranges = {p: (history.begin("outcomes", p), history.end("outcomes", p)) for p in history.partitions()}
    found = keeper.newest()
    if found is None:
        known = begin(algorithm, start) if start is not None else {}
        _require_of_log(f"checkpoint.start {start}", known, ranges)
        firsts = {partition: max(first, known.get(partition, 0)) for partition, (first, _) in ranges.items()}
        starts = {partition: max(firsts[partition], end - rebuild) for partition, (_, end) in ranges.items()}
        for partition, first in firsts.items():
            _missed(algorithm, partition, first, starts[partition], "bound")
        algorithm.ledger.restore(starts, Learned())
        _log.info("no checkpoint; the learner starts from the outcomes at %s", _places(starts))
        return None if start is None else int(algorithm.learning.policy.epoch)
    number, checkpoint = found
    state = checkpoint.state
    _require_of_log(f"checkpoint {number}", state.positions, ranges)
    algorithm.restore(checkpoint)
    for partition, position in state.positions.items():
        _missed(algorithm, partition, position, ranges[partition][0], "expired")
    _log.info(
        "checkpoint %d restored: version %d.%d, %d outcomes learned, positions %s",
        number,
        state.epoch,
        state.updates,
        state.learned.outcomes,
        _places(state.positions),
    )
    return state.epoch


def _require_of_log(name: str, positions: dict[int, int], ranges: dict[int, tuple[int, int]]) -> None:
    for partition, position in positions.items():
        end = ranges.get(partition, (0, -1))[1]
        if position > end:
            raise CheckpointError(
                f"{name} must be of this log; it has learned up to outcomes[{partition}]@{position}, the "
                f"topic ends at {end}. Was the topic made anew, or is this another cluster? Then use another "
                f"checkpoint.folder or kafka.group_id, or remove the group's checkpoints"
            )


def _missed(algorithm: BanditAlgorithm, partition: int, wanted: int, start: int, why: str) -> None:
    if start > wanted:
        _log.warning("outcomes[%d]@%d to %d are left out (%s)", partition, wanted, start, why)
        algorithm.count("outcomes_missed", start - wanted, why)


def _places(positions: dict[int, int]) -> str:
    return ", ".join(f"[{partition}]@{offset}" for partition, offset in sorted(positions.items())) or "none"
