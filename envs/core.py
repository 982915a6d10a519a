"""The core of the environment: from a log's records to impressions to decide, and from decisions to one unit of work.

    impressions = core.poll()                       # decode, dead-letter, join clicks
    observation = core.observe(impressions)
    closed = core.publish(decisions)                # recommendations, outcomes, dead letters and positions, at once

`publish` waits for the log. Whoever has more to do sends, and lands what was sent with the next batch:

    closed = core.send(decisions)                   # of the batch before, which has landed
    closed = core.land()                            # of this one, where no other follows

The Gymnasium environment is this with a batch of one; a runner uses it as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from envs.counting import count_committed, tell_levels
from envs.decision import Decision, recommendation
from envs.intake import Intake
from envs.observation import Observation
from envs.partition import Partition
from envs.parts import CoreSettings, Parts
from envs.restore import restore
from envs.reward import slot_rewards
from envs.sent import Sent
from envs.users import note_close, open_users, space_of
from stream.codec import dead_letter_headers
from stream.errors import StreamError
from stream.events import Impression, Outcome
from stream.join import ClickJoin, OpenDecision
from stream.log import INPUT_TOPICS, Published, TopicPartition, UnitOfWork
from stream.unit import HeldEvent
from stream.watermark import Watermarks

_CLOSE_BYTES = 8_000_000  # of a partition in one commit, which has a deadline; after a pause all windows end at once


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed decision and where its outcome lies in the log, so that a learner can refuse a repeat."""

    outcome: Outcome
    position: Published


class Core:
    """Reads, joins and publishes for all owned partitions. One thread at a time.

    Attributes:
        ended: the world in this process has no more impressions.
        received: records that the last poll took from the log.
        joined: clicks joined to open decisions by the last unit of work that was sent.
        sent: the unit of work that is on its way; None where none is.
        took_s: seconds that the last unit that landed was on its way.

    Raises (from `poll`, `publish`, `send` and `land`):
        LogUnavailableError: the log did not answer in time.
        CommitFailedError: the batch was not committed.
        After either, the next `poll` starts again from what was committed; what was sent is not told any more.
    """

    def __init__(self, settings: CoreSettings, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.ended = False
        self.received = self.joined = 0
        self.took_s = 0.0
        self._watermarks = Watermarks(settings.attribution, parts.clock)
        self._partitions: dict[int, Partition] = {}
        self._intake = Intake(settings, parts)
        self._observation: Observation | None = None
        self.sent: Sent | None = None

    @property
    def open_decisions(self) -> int:
        """Decisions whose attribution window has not passed."""
        return sum(len(partition.join) for partition in self._partitions.values())

    def poll(self, max_records: int | None = None, timeout_ms: int = 0) -> list[Impression]:
        """The impressions to decide now; takes in clicks and sets invalid records aside. To be followed by `publish`.

        Their users go by the keys that are used inside, which are pseudonyms where those are on.

        Args:
            max_records: how many records to take at most; the setting `max_batch` by default.
            timeout_ms: how long to wait for a first record.
        """
        limit = max_records or self.settings.max_batch
        records = self.parts.log.poll(limit, 0 if self.parts.supply else timeout_ms)
        if not records and self.parts.supply is not None and not self.ended:
            self.ended = self.parts.supply(limit) == 0
            records = self.parts.log.poll(limit, 0)
        self.received = len(records)
        try:
            self._follow_assignment()
        except StreamError:
            self._start_again(self.parts.log.begin())
            raise
        for record in records:
            partition = self._partitions.get(record.partition)
            if partition is not None:
                ts_ms = self._intake.take(record, partition)
                if ts_ms is not None:
                    source = TopicPartition(record.topic, record.partition)
                    self._watermarks.observe(source, ts_ms, record.timestamp_ms)
        return [self.parts.pseudonyms.of_impression(impression) for impression, _ in self._intake.pending]

    def observe(self, impressions: Sequence[Impression]) -> Observation:
        """The observation of the impressions that `poll` returned."""
        owners = [self._partitions[number].users for _, number in self._intake.pending]
        users = [(owner, impression.user_id) for owner, impression in zip(owners, impressions, strict=True)]
        self._observation = self.parts.featurizer.observe(impressions, users)
        return self._observation

    def publish(self, decisions: Sequence[Decision], *, final: bool = False) -> list[Closed]:
        """Commits one unit of work: the decisions, what closed by now, dead letters and positions.

        Args:
            decisions: one for each impression of the last `poll`, in order.
            final: close everything that is open, because nothing more will come.
        """
        return self.send(decisions, final=final) + self.land()

    def send(self, decisions: Sequence[Decision], *, final: bool = False) -> list[Closed]:
        """As `publish`, without waiting for this unit of work; returns what closed with the one before."""
        self.joined = 0
        events = self._recommended(decisions)
        outcomes = self._close(final=final)
        events += self._told(outcomes)
        landed = self.land()
        if not (events or any(partition.moved for partition in self._partitions.values())):
            return landed
        unit = self.parts.log.begin()
        try:
            for event in events:
                unit.publish(*event)
            unit.send({number: partition.progress() for number, partition in self._partitions.items()})
        except StreamError:
            self._start_again(unit)
            raise
        self.sent = Sent(unit, decisions, [number for _, number in self._intake.pending], outcomes)
        for partition in self._partitions.values():
            partition.moved = False
        self.joined = self._intake.joined_clicks
        self._intake.clear()
        self._observation = None
        return landed

    def land(self) -> list[Closed]:
        """Waits for the unit of work that is on its way, if there is one; returns what closed with it."""
        sent, self.sent = self.sent, None
        if sent is None:
            return []
        try:
            positions = sent.unit.landed()
        except StreamError:
            self._start_again(sent.unit)
            raise
        self.took_s = sent.unit.took_s
        return self._landed(sent, positions)

    def restart(self) -> None:
        """Forgets the batch at hand and sets the reader back, because it cannot be decided now; nothing is lost."""
        self._start_again(self.parts.log.begin())

    def outcome_frontier(self) -> dict[int, int]:
        """The first outcome of each owned partition that is not committed yet."""
        return {number: partition.outcomes_next for number, partition in self._partitions.items()}

    def joins(self) -> dict[int, ClickJoin]:
        """What is open in each owned partition; to be read only."""
        return {number: partition.join for number, partition in sorted(self._partitions.items())}

    def close(self) -> None:
        """Saves what is to be kept of the users; safe to call twice."""
        self.parts.users.close()

    def _start_again(self, unit: UnitOfWork) -> None:
        """Forgets what is not committed and sets the reader back; the next poll restores the partitions."""
        self._partitions.clear()
        self._intake.clear()
        self._observation = self.sent = None
        unit.abort()

    def _follow_assignment(self) -> None:
        owned = self.parts.log.assignment()
        for number in self._partitions.keys() - owned:
            del self._partitions[number]
            self._watermarks.forget(number)
            self._intake.drop(number)
        for number in sorted(owned - self._partitions.keys()):
            partition = restore(self.parts, number, self._intake, self.settings.attribution)
            open_users(self.parts, number, partition)
            self._partitions[number] = partition
            self._watermarks.restore(number, partition.join.watermark_ms)

    def _recommended(self, decisions: Sequence[Decision]) -> list[HeldEvent]:
        """Joins the decisions to their impressions; returns what tells the world of them."""
        pending, codec = self._intake.pending, self.parts.codec
        knew = self._observation.knew if self._observation is not None else (None,) * len(pending)
        events: list[HeldEvent] = []
        for (impression, number), decision, known in zip(pending, decisions, knew, strict=True):
            event = recommendation(
                self.parts.pseudonyms.of_impression(impression),
                decision,
                knew=known,
                encoder_version=self.parts.featurizer.encoder_version,
                max_probabilities=self.settings.max_probabilities,
            )
            if event.user_id != impression.user_id:  # whoever shows it must know for whom it is
                event = msgspec.structs.replace(event, user_id=impression.user_id)
            value = codec.encode(event)
            events.append(("recommendations", number, impression.user_id.encode(), value, codec.headers))
            partition = self._partitions[number]
            self._intake.joined(partition.join.decide(event, value), partition)
        return events

    def _close(self, *, final: bool) -> list[tuple[int, Outcome]]:
        sources = (TopicPartition(topic, number) for topic in INPUT_TOPICS for number in self._partitions)
        lag = self.parts.log.lag()
        self.parts.meter.level("consumer_lag", sum(lag.values()))
        behind = {source for source in sources if lag.get(source, 1) > 0}  # an end not known yet may be far away
        marks = self._watermarks.advance(self._partitions.keys(), behind)
        outcomes = []
        for number, partition in self._partitions.items():
            join = partition.join
            closed, orphans = join.close_all() if final else join.advance(marks[number], _CLOSE_BYTES)
            self.parts.meter.count("clicks", orphans, label="unknown")
            for name, count in join.take_counts().items():
                self.parts.meter.count(name, count)
            outcomes += [(number, self._outcome(decision)) for decision in closed]
        return outcomes

    def _outcome(self, decision: OpenDecision) -> Outcome:
        names = self.parts.pseudonyms
        clicks = names.of_clicks(decision.clicks)
        return Outcome(
            impression=names.of_impression(decision.impression),
            recommendation=names.of_recommendation(decision.shown),
            rewards=slot_rewards(self.settings.reward, decision.shown, clicks),
            clicks=clicks,
            closed_ms=decision.impression.ts_ms + self.settings.attribution.window_ms,
        )

    def _told(self, outcomes: Sequence[tuple[int, Outcome]]) -> list[HeldEvent]:
        """What tells of outcomes and of dead letters."""
        codec = self.parts.codec
        closes: list[HeldEvent] = [
            ("outcomes", number, outcome.impression.user_id.encode(), codec.encode(outcome), codec.headers)
            for number, outcome in outcomes
        ]
        letters: list[HeldEvent] = [
            ("dead-letters", letter.partition, b"", letter.value, dead_letter_headers(letter))
            for letter in self._intake.dead
        ]
        return closes + letters

    def _landed(self, sent: Sent, positions: Sequence[Published]) -> list[Closed]:
        """Notes a unit that has landed; of partitions that went meanwhile, whoever owns them now tells what closed."""
        for number, position in zip(sent.owners, positions, strict=False):
            if number in self._partitions:
                self._partitions[number].published(position.offset)
        count_committed(self.parts.meter, sent.decisions, [outcome for _, outcome in sent.outcomes])
        first = len(sent.decisions)
        closed = [
            Closed(outcome, position)
            for (number, outcome), position in zip(sent.outcomes, positions[first:], strict=False)
            if number in self._partitions
        ]
        for each in closed:
            partition = self._partitions[each.position.partition]
            partition.outcomes_next = each.position.offset + 1
            note_close(self.parts, partition, each.outcome)
        tell_levels(self.parts.meter, self._partitions.values())
        space = space_of(self.parts)
        for number, partition in self._partitions.items():
            self.parts.users.committed(number, partition.users, partition.outcomes_next, space)
        return closed
