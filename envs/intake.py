"""Taking records in: decode and check, route impressions and clicks to their partition, set the invalid aside."""

from collections.abc import Sequence

from envs.decision import logged_recommendation
from envs.errors import FeatureError
from envs.partition import Partition
from envs.parts import CoreSettings, Parts
from envs.uncommitted import Shown
from envs.users import note_click
from stream.codec import dead_letter
from stream.errors import CodecError
from stream.events import Click, DeadLetter, Impression
from stream.identity import decision_id
from stream.join import Arrival, ClickFate
from stream.log import Record
from stream.reason import shown


class Intake:
    """What came in since the last commit: impressions to decide and dead letters.

    Attributes:
        pending: impressions to decide, with the number of their partition.
        dead: records that could not be used.
        joined_clicks: clicks joined to what is open since the last commit.
    """

    def __init__(self, settings: CoreSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self.pending: list[tuple[Impression, int]] = []
        self.dead: list[DeadLetter] = []
        self.joined_clicks = 0

    def clear(self) -> None:
        """Forgets what came in, once it is committed or will be read again."""
        self.pending, self.dead, self.joined_clicks = [], [], 0

    def drop(self, number: int) -> None:
        """Forgets what came in from a partition that is no longer owned."""
        self.pending = [(impression, owner) for impression, owner in self.pending if owner != number]
        self.dead = [letter for letter in self.dead if letter.partition != number]

    def take(self, record: Record, partition: Partition) -> int | None:
        """Takes one record in; returns its event time, None where it became a dead letter."""
        ts_ms = None
        try:
            ts_ms = self._route(record, partition)
        except (CodecError, FeatureError) as error:
            self.dead.append(dead_letter(record, str(error)))
            self._parts.meter.count("dead_letters", label=record.topic)
        partition.read_up_to(record.topic, record.offset + 1)
        return ts_ms

    def impression(self, record: Record) -> Impression:
        """The impression of a record.

        Raises:
            CodecError, FeatureError: it is a dead letter.
        """
        impression = self._parts.codec.decode(record.value, Impression, record.headers)
        self._check_place(impression, record)
        self._parts.featurizer.check([impression])
        return impression

    def click(self, record: Record) -> Click:
        """The click of a record.

        Raises:
            CodecError: it is a dead letter.
        """
        click = self._parts.codec.decode(record.value, Click, record.headers)
        self._check_place(click, record)
        return click

    def joined(self, fates: Sequence[tuple[Click, ClickFate]], partition: Partition) -> None:
        """Counts what became of clicks; a joined one moves its user's interests at once."""
        for click, fate in fates:
            self._parts.meter.count("clicks", label=fate)
            if fate == "joined":
                self.joined_clicks += 1
                note_click(self._parts, partition, click)

    def _route(self, record: Record, partition: Partition) -> int:
        if record.topic == "clicks":
            click = self.click(record)
            self.joined([(click, partition.join.click(click, record.offset))], partition)
            return click.ts_ms
        impression = self.impression(record)
        self._arrive(impression, record, partition)
        return impression.ts_ms

    def _check_place(self, event: Impression | Click, record: Record) -> None:
        """Whether the record's key and time are those of the event: both decide where it belongs."""
        if record.key != event.user_id.encode():
            raise CodecError(
                f"{type(event).__name__} record must be keyed by its user_id in UTF-8, so that a user's clicks lie in "
                f"the partition of the impressions; got key {shown(record.key)} for user_id {shown(event.user_id)}"
            )
        limit = self._settings.attribution.max_skew_ms
        if event.ts_ms - record.timestamp_ms > limit:
            raise CodecError(
                f"{type(event).__name__} ts_ms must be at most {limit} ms ahead of its record's time; "
                f"got {event.ts_ms} in a record of {record.timestamp_ms}"
            )

    def _arrival(self, impression: Impression, record: Record, partition: Partition, before: Shown | None) -> Arrival:
        if partition.uncommitted:
            user = self._parts.pseudonyms(impression.user_id)
            if partition.uncommitted.has_closed(decision_id(user, impression.impression_id)):
                return "late"
        origin = partition.origin(record, before)
        return partition.join.arrive(impression, origin, record.value, due=before is not None)

    def _arrive(self, impression: Impression, record: Record, partition: Partition) -> None:
        before = partition.uncommitted.take(impression) if partition.uncommitted else None
        fate: str = self._arrival(impression, record, partition, before)
        deadline_ms = self._settings.decide_deadline_ms
        if fate == "new" and before is not None:
            fate = "decided"
            self.joined(partition.join.decide(before.head, before.value), partition)
        elif fate == "new" and impression.logged is not None:
            fate = "logged"
            user = self._parts.pseudonyms(impression.user_id)
            self.joined(partition.join.decide(logged_recommendation(impression, user)), partition)
        elif fate == "new" and deadline_ms is not None and self._parts.clock() - impression.ts_ms > deadline_ms:
            fate = "too_old"
            partition.join.withdraw(impression)
        elif fate == "new":
            self.pending.append((impression, record.partition))
        self._parts.meter.count("impressions", label=fate)
