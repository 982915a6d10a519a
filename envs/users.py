"""The users of an owned partition: as last saved, folded on over later outcomes, then told of clicks and closes."""

import logging
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from envs.errors import FeatureError
from envs.partition import Partition
from envs.parts import Parts
from envs.protocols import Floats
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


_CLOSED = msgspec.json.Decoder(_Closed)


def open_users(parts: Parts, number: int, partition: Partition) -> None:
    """Gives a partition what is known of its users: saved, folded, and with the clicks of what is open on top.

    Raises:
        LogUnavailableError: the log did not answer in time.
    """
    end = partition.outcomes_next
    _settle_layout(parts, partition)
    partition.users, start = parts.users.open(number, end, space_of(parts))
    folded = skipped = 0
    for record in parts.log.read("outcomes", number, start, end):
        try:
            _fold(parts, partition, record)
            folded += 1
        except (msgspec.DecodeError, CodecError):
            skipped += 1
    for _, click in partition.join.open_clicks():
        note_click(parts, partition, click)
    if skipped:
        parts.meter.count("restore_skipped", skipped, label="users")
        _log.warning("outcomes[%d]: %d records cannot be read and are left out", number, skipped)
    if folded:
        _log.info("outcomes[%d]: %d taken in again for what is known of users", number, folded)


def note_click(parts: Parts, partition: Partition, click: Click) -> None:
    """Tells of a joined click: the next decision knows of it."""
    user = parts.pseudonyms(click.user_id)
    for item_E in _vectors(parts, [partition.join.candidate(click)]):
        past = partition.users.clicked(user, decision_id(user, click.impression_id), click.ts_ms, item_E)
        parts.meter.count("open_clicks_past", past)


def note_close(parts: Parts, partition: Partition, outcome: Outcome) -> None:
    """Tells of a decision that closed and is committed."""
    recommendation = outcome.recommendation
    items = {candidate.item_id: candidate for candidate in outcome.impression.candidates}
    clicks = [
        (click.ts_ms, item_E)
        for click in outcome.clicks
        if click.item_id in items
        for item_E in _vectors(parts, [items[click.item_id]])
    ]
    evicted = partition.users.closed(recommendation.user_id, recommendation.decision_id, clicks)
    parts.meter.count("users_evicted", evicted)


def space_of(parts: Parts) -> str:
    """Names what a snapshot of users must agree in: the space of the vectors and the keys of the users."""
    return f"{parts.pseudonyms.name}/{parts.featurizer.interest_space}"


def _settle_layout(parts: Parts, partition: Partition) -> None:
    """Settles what the settings leave open of the features by what is open, as it did when it first came."""
    for key in partition.join.clicked_keys():
        found = partition.join.open_decision(key)
        with suppress(FeatureError):
            if found is not None:
                parts.featurizer.check([found.impression])
                return


def _fold(parts: Parts, partition: Partition, record: Record) -> None:
    closed = _CLOSED.decode(record.value)
    if not closed.clicks:
        partition.users.closed(closed.recommendation.user_id, closed.recommendation.decision_id, ())
        return
    outcome = parts.codec.decode(record.value, Outcome, record.headers)
    with suppress(FeatureError):
        parts.featurizer.check([outcome.impression])
    note_close(parts, partition, outcome)


def _vectors(parts: Parts, items: Sequence[Candidate]) -> list[Floats]:
    """The vectors of items; without those of another layout, which the settings had when they were shown."""
    vectors = []
    for item in items:
        try:
            vectors.append(parts.featurizer.item_vector(item))
        except FeatureError:
            parts.meter.count("features_misfit")
    return vectors
