"""The users of an owned partition: as last saved, folded on over later outcomes, then told of clicks and closes."""

import logging
from collections.abc import Iterator

import msgspec

from envs.errors import FeatureError
from envs.partition import Partition
from envs.parts import Parts
from envs.protocols import Floats, Interests
from stream.errors import CodecError
from stream.events import Candidate, Click, Outcome
from stream.identity import decision_id
from stream.log import Record

_log = logging.getLogger("streambandit.users")


class _Known(msgspec.Struct):
    user_id: str
    decision_id: str


class _Closed(msgspec.Struct):
    """The little of an outcome that an unclicked decision teaches; reading it costs a tenth of reading all of it."""

    recommendation: _Known
    clicks: list[msgspec.Raw] = []


def open_users(parts: Parts, number: int, partition: Partition) -> Interests:
    """What is known of a partition's users: saved, folded, and with the clicks of what is open on top.

    Raises:
        LogUnavailableError: the log did not answer in time.
    """
    end = parts.log.end("outcomes", number)
    interests, start = parts.users.open(number, end, space_of(parts))
    folded = skipped = 0
    decoder = msgspec.json.Decoder(_Closed)
    for record in parts.log.read("outcomes", number, start, end):
        try:
            closed = decoder.decode(record.value)
            clicks = list(_clicks(parts, record)) if closed.clicks else []
        except (msgspec.DecodeError, CodecError, FeatureError):
            skipped += 1
            continue
        interests.closed(closed.recommendation.user_id, closed.recommendation.decision_id, clicks)
        folded += 1
    if skipped:
        parts.meter.count("restore_skipped", skipped)
        _log.warning("outcomes[%d]: %d records cannot be read and are left out", number, skipped)
    partition.users, partition.outcomes_next = interests, end
    for _, click in partition.join.open_clicks():
        note_click(parts, partition, click)
    if folded:
        _log.info("outcomes[%d]: %d taken in again for what is known of users", number, folded)
    return interests


def note_click(parts: Parts, partition: Partition, click: Click) -> None:
    """Tells of a joined click: the next decision knows of it."""
    user = parts.pseudonyms(click.user_id)
    item_E = parts.featurizer.item_vector(partition.join.candidate(click))
    partition.users.clicked(user, decision_id(user, click.impression_id), click.ts_ms, item_E)


def note_close(parts: Parts, partition: Partition, outcome: Outcome) -> None:
    """Tells of a decision that closed and is committed."""
    recommendation = outcome.recommendation
    clicks = _vectors(parts, outcome)
    evicted = partition.users.closed(recommendation.user_id, recommendation.decision_id, clicks)
    parts.meter.count("users_evicted", evicted)


def space_of(parts: Parts) -> str:
    """Names what a snapshot of users must agree in: the space of the vectors and the keys of the users."""
    return f"{parts.pseudonyms.name}/{parts.featurizer.interest_space}"


def _clicks(parts: Parts, record: Record) -> Iterator[tuple[int, Floats]]:
    outcome = parts.codec.decode(record.value, Outcome, record.headers)
    parts.featurizer.check([outcome.impression])
    yield from _vectors(parts, outcome)


def _vectors(parts: Parts, outcome: Outcome) -> list[tuple[int, Floats]]:
    items = {candidate.item_id: candidate for candidate in outcome.impression.candidates}
    return [(click.ts_ms, parts.featurizer.item_vector(_item(items, click))) for click in outcome.clicks]


def _item(items: dict[str, Candidate], click: Click) -> Candidate:
    if click.item_id not in items:
        raise FeatureError(f"outcome click must be on a candidate of its impression; got {click.item_id!r}")
    return items[click.item_id]
