"""Taking records in: decode and check, route impressions and clicks to their partition, set the invalid aside."""

from collections.abc import Sequence

from envs.decision import logged_recommendation
from envs.errors import FeatureError
from envs.partition import Partition
from envs.parts import CoreSettings, Parts
from stream.errors import CodecError
from stream.events import Click, DeadLetter, Impression
from stream.join import ClickFate
from stream.log import Record


class Intake:
    """What came in since the last commit: impressions to decide and dead letters.

    Attributes:
        pending: impressions to decide, with the number of their partition.
        dead: records that could not be used.
    """

    def __init__(self, settings: CoreSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self.pending: list[tuple[Impression, int]] = []
        self.dead: list[DeadLetter] = []

    def clear(self) -> None:
        """Forgets what came in, once it is committed or will be read again."""
        self.pending, self.dead = [], []

    def drop(self, number: int) -> None:
        """Forgets the pending impressions of a partition that is no longer owned."""
        self.pending = [(impression, owner) for impression, owner in self.pending if owner != number]

    def take(self, record: Record, partition: Partition) -> int | None:
        """Takes one record in; returns its event time, None where it became a dead letter."""
        ts_ms = None
        try:
            ts_ms = self._route(record, partition)
        except (CodecError, FeatureError) as error:
            letter = DeadLetter(
                value=record.value,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=str(error),
            )
            self.dead.append(letter)
            self._parts.meter.count("dead_letters", label=record.topic)
        partition.read_up_to(record.topic, record.offset + 1)
        return ts_ms

    def impression(self, record: Record) -> Impression:
        """The impression of a record.

        Raises:
            CodecError, FeatureError: it is a dead letter.
        """
        impression = self._parts.codec.decode(record.value, Impression, record.headers)
        self._check_skew(impression, record)
        self._parts.featurizer.check([impression])
        return impression

    def click(self, record: Record) -> Click:
        """The click of a record.

        Raises:
            CodecError: it is a dead letter.
        """
        click = self._parts.codec.decode(record.value, Click, record.headers)
        self._check_skew(click, record)
        return click

    def joined(self, fates: Sequence[tuple[Click, ClickFate]], partition: Partition) -> None:
        """Counts what became of clicks; a joined one moves its user's interests at once."""
        for click, fate in fates:
            self._parts.meter.count("clicks", label=fate)
            if fate == "joined":
                item_E = self._parts.featurizer.item_vector(partition.join.candidate(click))
                self._parts.interests.clicked(click.user_id, click.ts_ms, item_E)

    def _route(self, record: Record, partition: Partition) -> int:
        if record.topic == "clicks":
            click = self.click(record)
            self.joined([(click, partition.join.click(click, record.offset))], partition)
            return click.ts_ms
        impression = self.impression(record)
        self._arrive(impression, record, partition)
        return impression.ts_ms

    def _check_skew(self, event: Impression | Click, record: Record) -> None:
        limit = self._settings.attribution.max_skew_ms
        if event.ts_ms - record.timestamp_ms > limit:
            raise CodecError(
                f"{type(event).__name__} ts_ms must be at most {limit} ms ahead of its record's time; "
                f"got {event.ts_ms} in a record of {record.timestamp_ms}"
            )

    def _arrive(self, impression: Impression, record: Record, partition: Partition) -> None:
        fate: str = partition.join.arrive(impression, record.offset, partition.next.get("clicks", 0))
        deadline_ms = self._settings.decide_deadline_ms
        if fate == "new" and impression.logged is not None:
            fate = "logged"
            self.joined(partition.join.decide(logged_recommendation(impression)), partition)
        elif fate == "new" and deadline_ms is not None and self._parts.clock() - impression.ts_ms > deadline_ms:
            fate = "too_old"
            partition.join.withdraw(impression)
        elif fate == "new":
            self.pending.append((impression, record.partition))
        self._parts.meter.count("impressions", label=fate)
