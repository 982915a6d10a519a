"""Outcomes from files of JSON lines and from Kafka, a bounded number of them, the newest."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from agent.history import History
from agent.missing import MissingOutcomes
from deploy.errors import EvaluateError
from deploy.evaluating.event_lines import bare_outcomes, event_of, holds_records
from deploy.evaluating.joined import joined_outcomes
from envs.parts import CoreSettings
from stream.codec import Codec, JsonCodec
from stream.errors import CodecError
from stream.events import Click, Impression, Outcome
from stream.meter import Tally
from stream.record_file import read_records

_PART = 1_000


def outcomes_of_history(history: History, limit: int) -> tuple[list[Outcome], list[str]]:
    """The newest committed outcomes of a log, in the one order of all partitions, and notes on them.

    Args:
        history: the log.
        limit: offsets of each partition that are read, at most.

    Raises:
        LogUnavailableError: the log did not answer in time.
    """
    ends = {partition: history.end("outcomes", partition) for partition in history.partitions()}
    ranges = {p: (max(history.begin("outcomes", p), end - limit), end) for p, end in ends.items()}
    tally, outcomes = Tally(), []
    reading = MissingOutcomes(history, ranges, tally)
    while not reading.exhausted:
        outcomes += [found.outcome for found in reading.take(_PART)]
    unreadable = int(tally.total("outcomes_missed"))
    return outcomes, [f"{unreadable:,} records of the topic cannot be read and are left out"] if unreadable else []


def outcomes_of_file(path: Path, settings: CoreSettings, limit: int) -> tuple[list[Outcome], list[str]]:
    """The newest outcomes of a file of JSON lines, by the time of their close, and notes on them.

    Each line is an outcome as the codec writes it, or a record of a recorded log. A recorded log holds outcomes, or
    impressions that carry `logged` with the clicks on them, which are joined here.

    Args:
        path: the file.
        settings: attribution window and reward, for impressions that are joined.
        limit: how many outcomes at most.

    Raises:
        EvaluateError: the file cannot be read, a line is neither, or nothing in it can be judged.
    """
    try:
        if holds_records(path):
            return _of_records(path, settings, limit)
        outcomes = list(bare_outcomes(path))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluateError(f"--log must be a file that can be read; got {path} ({error})") from error
    except CodecError as error:
        raise EvaluateError(f"--log {path} must hold outcomes or records, one a line: {error}") from error
    return _newest(outcomes, limit), []


def _of_records(path: Path, settings: CoreSettings, limit: int) -> tuple[list[Outcome], list[str]]:
    codec: Codec = JsonCodec()
    outcomes: list[Outcome] = []
    events: list[Impression | Click] = []
    undecided = 0
    for record in read_records(path):
        event = event_of(codec, record)
        if isinstance(event, Outcome):
            outcomes.append(event)
        elif isinstance(event, Click) or (event is not None and event.logged is not None):
            events.append(event)
        elif event is not None:
            undecided += 1
    notes = []
    if not outcomes:
        if undecided:
            notes.append(f"{undecided:,} impressions carry no `logged` and are left out")
        outcomes = joined_outcomes(events, settings)
    if not outcomes:
        raise EvaluateError(
            f"--log {path} must hold outcomes, or impressions that carry `logged` (`simulate --out FILE --logged` "
            f"writes such); got {undecided:,} impressions without"
        )
    return _newest(outcomes, limit), notes


def _newest(outcomes: Iterable[Outcome], limit: int) -> list[Outcome]:
    return list(deque(sorted(outcomes, key=lambda each: each.closed_ms), maxlen=limit))
