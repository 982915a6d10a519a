"""`streambandit import`: a log of another system as a recorded log: impressions that carry `logged`, and clicks."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from deploy.errors import HistoryError
from deploy.importing.dsjson import read_dsjson
from deploy.importing.foreign import Foreign
from deploy.importing.open_bandit import read_open_bandit
from envs.parts import CoreSettings
from stream.events import Click, Impression
from stream.memory import MemoryLog
from stream.record_file import RecordingWorldLog

_READERS: dict[str, Callable[[Path, CoreSettings, Foreign], Iterator[Impression | Click]]] = {
    "dsjson": read_dsjson,
    "open-bandit": read_open_bandit,
}


@dataclass
class Imported:
    """What became of a log.

    Attributes:
        impressions: written.
        clicks: written.
        left_out: what could not be carried over, by reason.
        notes: what a reader of the result must know.
    """

    impressions: int = 0
    clicks: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_file(form: str, path: Path, out: Path, settings: CoreSettings) -> Imported:
    """Writes a log of another system as a recorded log, an event at a time.

    Args:
        form: `dsjson` or `open-bandit`.
        path: the file, or the folder.
        out: the recorded log, written anew.
        settings: of attribution and reward, by which it is to be read.

    Raises:
        HistoryError: a file cannot be read or written, nothing in it can be carried over, or a reward is out of range.
        EvaluateError: the folder is not as its authors lay it out.
    """
    found, foreign = Imported(), Foreign(Counter(), Counter())
    events = _READERS[form](path, settings, foreign)
    first = list(islice(events, 1))  # read before anything is written: a wrong path costs no file that is there
    try:
        recording = RecordingWorldLog(MemoryLog(capacity=1, policy="drop"), out)
    except OSError as error:
        raise HistoryError(f"--out must be a file that can be written; got {out} ({error.strerror})") from error
    with recording:
        for event in chain(first, events):
            recording.append(event)
            if isinstance(event, Impression):
                found.impressions += 1
            else:
                found.clicks += 1
    found.left_out, found.notes = dict(foreign.left_out), [f"{n:,} {what}" for what, n in foreign.notes.items()]
    if not found.impressions:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items()) or "an empty file"
        raise HistoryError(f"{path} must hold decisions that can be carried over; got {reasons}")
    return found
