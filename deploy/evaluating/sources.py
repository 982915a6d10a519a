"""What `--log` can name: the topic of outcomes, a file of events, an Open Bandit folder, the Upworthy archive."""

from contextlib import closing
from pathlib import Path

from deploy.errors import EvaluateError
from deploy.evaluating.event_files import outcomes_of_file, outcomes_of_history
from deploy.evaluating.from_outcomes import log_of_outcomes
from deploy.evaluating.headlines import read_headlines
from deploy.evaluating.log import LoggedDecisions
from deploy.evaluating.open_bandit import folders_below, is_open_bandit, read_open_bandit
from deploy.settings import Settings
from envs.upworthy_file import FILE_NAME

KAFKA = "kafka"


def read_log(log: str, settings: Settings, limit: int) -> LoggedDecisions:
    """The log that `--log` names.

    Args:
        log: `kafka`, for the committed outcomes of the topic, or a path: a file of JSON lines, a folder of the Open
            Bandit data set, or the Upworthy archive (its file or folder).
        settings: of Kafka, attribution, reward and seed.
        limit: decisions at most, the newest; of Kafka, offsets of each partition; of Upworthy, impressions drawn.

    Raises:
        EvaluateError: there is no such log, or it holds nothing that can be judged.
        StreamError: Kafka did not answer.
        WorldError: the Upworthy archive is not as it must be.
    """
    if log == KAFKA:
        return _of_kafka(settings, limit)
    path = Path(log)
    if not path.exists():
        raise EvaluateError(f"--log must be {KAFKA!r}, a file or a folder; got {log!r}, which does not exist")
    if is_open_bandit(path):
        return read_open_bandit(path, limit)
    if path.name == FILE_NAME or (path / FILE_NAME).is_file():
        return read_headlines(path, limit, settings.seed)
    if path.is_dir():
        raise EvaluateError(f"--log must be {_folders(path)}; got the folder {path}")
    outcomes, notes = outcomes_of_file(path, settings.core, limit)
    return log_of_outcomes(str(path), outcomes, notes)


def _of_kafka(settings: Settings, limit: int) -> LoggedDecisions:
    from stream.kafka.history import KafkaHistory  # noqa: PLC0415 - only where Kafka is used

    with closing(KafkaHistory(settings.kafka)) as history:
        outcomes, notes = outcomes_of_history(history, limit)
    return log_of_outcomes(f"outcomes of {settings.kafka.bootstrap_servers}", outcomes, notes)


def _folders(path: Path) -> str:
    below = folders_below(path)
    if below:
        return f"one log of the Open Bandit data set, such as {below[0]}"
    return f"a folder with item_context.csv (Open Bandit) or {FILE_NAME} (Upworthy)"
