"""A history as a stream of outcomes: never more of it in memory than what is open at once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.missing import MissingOutcomes
from deploy.errors import EvaluateError, HistoryError
from deploy.evaluating.event_lines import bare_outcomes, event_of, holds_records
from deploy.evaluating.joined import joining
from deploy.evaluating.learned_target import outcomes_of
from deploy.evaluating.sources import KAFKA, read_log
from deploy.settings import Settings
from envs.upworthy_file import FILE_NAME
from stream.codec import Codec, JsonCodec
from stream.errors import CodecError
from stream.events import Click, Impression, Outcome
from stream.meter import Tally
from stream.record_file import read_records

_PART = 500
_ALL = 1 << 62


@dataclass
class History:
    """Outcomes to learn, and what is known of their reading once they were taken.

    Attributes:
        outcomes: in the order in which they closed.
        positions: the next outcome of the topic, by partition; empty where they are not of a topic.
        left_out: what could not be used, by reason.
    """

    outcomes: Iterator[Outcome]
    positions: dict[int, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Counts what could not be used."""
        self.left_out[reason] = self.left_out.get(reason, 0) + count


@contextmanager
def open_history(log: str, settings: Settings) -> Iterator[History]:
    """The history that `--log` names.

    Args:
        log: `kafka`, for all committed outcomes of the topic, or a path: a file of outcomes or of a recorded log, or
            the Upworthy archive.
        settings: of Kafka, attribution, reward and pseudonyms.

    Raises:
        HistoryError: there is no such log, or a line of it is no event (when it is reached).
        EvaluateError: it is of a kind that holds no events.
        StreamError: Kafka did not answer.
    """
    if log == KAFKA:
        from stream.kafka.history import KafkaHistory  # noqa: PLC0415 - only where Kafka is used

        with closing(KafkaHistory(settings.kafka)) as topics:
            ranges = {p: (topics.begin("outcomes", p), topics.end("outcomes", p)) for p in topics.partitions()}
            history = History(iter(()), positions={partition: end for partition, (_, end) in ranges.items()})
            tally = Tally()
            history.outcomes = _of_topic(history, MissingOutcomes(topics, ranges, tally), tally)
            yield history
        return
    path = Path(log)
    if path.is_file() and path.name != FILE_NAME:
        history = History(iter(()))
        history.outcomes = _of_file(history, path, settings)
    else:
        history = History(iter(outcomes_of(read_log(log, settings, _ALL))))
    yield history


def _of_topic(history: History, reading: MissingOutcomes, tally: Tally) -> Iterator[Outcome]:
    while not reading.exhausted:
        yield from (found.outcome for found in reading.take(_PART))
    if unreadable := int(tally.total("outcomes_missed")):
        history.leave_out("records of the topic that cannot be read", unreadable)


def _of_file(history: History, path: Path, settings: Settings) -> Iterator[Outcome]:
    try:
        kind = _kind(path)
        if kind == "bare":
            yield from bare_outcomes(path)
        elif kind == "outcomes":
            yield from (event for event in _events(history, path) if isinstance(event, Outcome))
        else:
            names = settings.privacy.pseudonyms()
            logged = (event for event in _events(history, path) if not isinstance(event, Outcome))
            apart_ms = settings.core.attribution.out_of_order_ms
            for each in joining(logged, settings.core, apart_ms, lambda fate: history.leave_out(f"{fate} impressions")):
                yield msgspec.structs.replace(
                    each,
                    impression=names.of_impression(each.impression),
                    recommendation=names.of_recommendation(each.recommendation),
                    clicks=names.of_clicks(each.clicks),
                )
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"--log must be a file that can be read; got {path} ({error})") from error
    except CodecError as error:
        raise HistoryError(f"--log {path} must hold outcomes or records, one a line: {error}") from error


def _kind(path: Path) -> str:
    """Whether lines are bare outcomes, or records, and then whether outcomes are among these."""
    try:
        records = holds_records(path)
    except EvaluateError as error:
        raise HistoryError(str(error)) from error
    if not records:
        return "bare"
    return "outcomes" if any(record.topic == "outcomes" for record in read_records(path)) else "logged"


def _events(history: History, path: Path) -> Iterator[Impression | Click | Outcome]:
    codec: Codec = JsonCodec()
    for record in read_records(path):
        event = event_of(codec, record)
        if isinstance(event, Impression) and event.logged is None:
            history.leave_out("impressions without `logged`")
        elif event is not None:
            yield event
