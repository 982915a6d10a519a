"""The events of the loop. The rules of an event live in its type, so building one in code is checked as well.

Times are milliseconds of event time since the epoch. All structs are frozen, their sequences are tuples.
"""

import msgspec

from stream.errors import EventError
from stream.reason import shown
from stream.rules import (
    LARGEST,
    are_features,
    require_close,
    require_distinct,
    require_distribution,
    require_features,
    require_finite,
    require_id,
    require_name,
    require_propensity,
    require_shares,
    require_text,
    require_time,
)

SCHEMA_VERSION = 1
MAX_CANDIDATES = 1_000


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=False, gc=False):
    """The base of all events: immutable, keyword-only; fields that a reader does not know are ignored.

    An event holds nothing that could hold it in turn, so the garbage collector does not look for such circles.
    """


class Context(Event, frozen=True, kw_only=True):
    """What is known of the moment: any mix of text, numeric features and attributes.

    Attributes are carried, not learned from; but contexts of one `group` have a level of clicks in common.
    """

    text: str | None = None
    features: tuple[float, ...] | None = None
    attributes: dict[str, str] | None = None

    def __post_init__(self) -> None:
        require_text("context.text", self.text)
        if self.features:
            require_features("context.features", self.features)


class Candidate(Event, frozen=True, kw_only=True):
    """One item that could be shown."""

    item_id: str
    text: str | None = None
    features: tuple[float, ...] | None = None
    attributes: dict[str, str] | None = None

    def __post_init__(self) -> None:
        require_id("candidate.item_id", self.item_id)
        if self.text is not None and not self.text.isascii():
            require_text("candidate.text", self.text)
        if self.features and not are_features(self.features):
            require_features(f"candidate {self.item_id!r} features", self.features)


class Logged(Event, frozen=True, kw_only=True):
    """What another policy showed already: learned from, not decided. A missing propensity is None."""

    item_ids: tuple[str, ...]
    propensities: tuple[float | None, ...] | None = None
    policy: str = ""

    def __post_init__(self) -> None:
        require_distinct("logged.item_ids", self.item_ids)
        if not self.item_ids:
            raise EventError("logged.item_ids must not be empty; got ()")
        require_name("logged.policy", self.policy)
        if self.propensities is not None:
            if len(self.propensities) != len(self.item_ids):
                raise EventError(
                    f"logged.propensities must have one value per item; got {len(self.propensities)} "
                    f"for {len(self.item_ids)} items"
                )
            for propensity in self.propensities:
                require_propensity("logged.propensities", propensity)


class Impression(Event, frozen=True, kw_only=True):
    """A user is here and can be shown `slots` of the candidates."""

    impression_id: str
    user_id: str
    ts_ms: int
    candidates: tuple[Candidate, ...]
    context: Context = Context()
    slots: int = 1
    logged: Logged | None = None

    def __post_init__(self) -> None:
        require_id("impression.impression_id", self.impression_id)
        require_id("impression.user_id", self.user_id)
        require_time("impression.ts_ms", self.ts_ms)
        count = len(self.candidates)
        if not 1 <= count <= MAX_CANDIDATES:
            raise EventError(f"impression.candidates must be 1 to {MAX_CANDIDATES:,}; got {count:,}")
        items = {candidate.item_id for candidate in self.candidates}
        if len(items) != count:
            require_distinct("impression.candidates item_id", [c.item_id for c in self.candidates])
        if not 1 <= self.slots <= count:
            raise EventError(
                f"impression.slots must be 1 to the number of candidates ({count}); got {shown(self.slots)}"
            )
        for item_id in self.logged.item_ids if self.logged else ():
            if item_id not in items:
                raise EventError(f"logged.item_ids must be among the candidates; got {shown(item_id)}")


class Click(Event, frozen=True, kw_only=True):
    """Feedback of a user on one shown item. `kind` names what it was (click, purchase, like, ...), `value` how much."""

    impression_id: str
    user_id: str
    item_id: str
    ts_ms: int
    kind: str = "click"
    value: float = 1.0
    click_id: str | None = None

    def __post_init__(self) -> None:
        require_id("click.impression_id", self.impression_id)
        require_id("click.user_id", self.user_id)
        require_id("click.item_id", self.item_id)
        require_id("click.kind", self.kind)
        require_time("click.ts_ms", self.ts_ms)
        require_finite("click.value", (self.value,))
        if self.click_id is not None:
            require_name("click.click_id", self.click_id)


class Slot(Event, frozen=True, kw_only=True):
    """One shown item, the propensity of showing it there given the slots above, and the policy's score of it."""

    item_id: str
    propensity: float | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        require_id("slot.item_id", self.item_id)
        require_propensity("slot.propensity", self.propensity)


class Knew(Event, frozen=True, kw_only=True):
    """What the policy read of the user at decision time, so that learning and replay read this and not the store.

    Attributes:
        clicks: joined clicks of the user so far.
        decisions: decisions for the user so far that closed without a click.
        idle_ms: event time since the user's last joined click; None before the first.
        interest: interest vector that was used, float16 little-endian; None before the first click.
    """

    clicks: int = 0
    decisions: int = 0
    idle_ms: int | None = None
    interest: bytes | None = None


class Exploring(Event, frozen=True, kw_only=True):
    """How far a decision explored, so that its outcome can tell what that cost.

    Attributes:
        level: of exploring; what it means is the strategy's affair, more explores more.
        cost: reward that the first slot is expected to bring less than `greedy` would.
        greedy: index of the candidate with the highest expected reward.
    """

    level: float
    cost: float
    greedy: int

    def __post_init__(self) -> None:
        if not (abs(self.level) <= LARGEST and abs(self.cost) <= LARGEST):
            require_finite("exploring.level", (self.level, self.cost))
        if self.greedy < 0:
            raise EventError(f"exploring.greedy must be an index of a candidate; got {self.greedy}")


class Experiment(Event, frozen=True, kw_only=True):
    """The experiment and the arm of it that a decision belonged to."""

    name: str
    arm: str


class Recommendation(Event, frozen=True, kw_only=True):
    """A decision: what was shown, out of what, with which probability, by which policy version and seed.

    `probabilities` are of every candidate of the impression, in its order, for the first slot.
    `slot_probabilities` are of every candidate for each slot after the first, given the slots above: 0 for what is
    shown there already. Where they are None, and `probabilities` stand there, a later slot is drawn in proportion to
    `probabilities` from what is left.
    `slate_propensity` is the product of the slots' propensities, None where one is unknown.
    """

    decision_id: str
    impression_id: str
    user_id: str
    ts_ms: int
    slate: tuple[Slot, ...]
    slate_propensity: float | None = None
    probabilities: tuple[float, ...] | None = None
    slot_probabilities: tuple[tuple[float, ...], ...] | None = None
    knew: Knew | None = None
    strategy: str
    policy_version: str
    encoder_version: str = ""
    seed: int = 0
    experiment: Experiment | None = None
    exploring: Exploring | None = None

    def __post_init__(self) -> None:
        require_id("recommendation.decision_id", self.decision_id)
        require_id("recommendation.impression_id", self.impression_id)
        require_id("recommendation.user_id", self.user_id)
        require_time("recommendation.ts_ms", self.ts_ms)
        if not self.slate:
            raise EventError("recommendation.slate must not be empty; got ()")
        if len(self.slate) > 1:
            require_distinct("recommendation.slate item_id", [slot.item_id for slot in self.slate])
        require_propensity("recommendation.slate_propensity", self.slate_propensity)
        if self.probabilities is not None:
            require_distribution("recommendation.probabilities", self.probabilities)
        if self.slot_probabilities is not None:
            self._require_slots(self.slot_probabilities)

    def _require_slots(self, shares_S: tuple[tuple[float, ...], ...]) -> None:
        if self.probabilities is None or len(shares_S) != len(self.slate) - 1:
            raise EventError(
                "recommendation.slot_probabilities must stand beside probabilities, one row for each slot after the "
                f"first; got {len(shares_S)} rows for {len(self.slate)} slots"
            )
        for share_K in shares_S:
            require_shares("recommendation.slot_probabilities", share_K, len(self.probabilities))


class Outcome(Event, frozen=True, kw_only=True):
    """A closed decision with its reward. Self-contained: it trains and replays without another event."""

    impression: Impression
    recommendation: Recommendation
    rewards: tuple[float, ...]
    clicks: tuple[Click, ...] = ()
    closed_ms: int

    def __post_init__(self) -> None:
        if len(self.rewards) != len(self.recommendation.slate):
            raise EventError(
                f"outcome.rewards must have one value per slot; got {len(self.rewards)} "
                f"for {len(self.recommendation.slate)} slots"
            )
        require_finite("outcome.rewards", self.rewards)
        require_close("outcome.closed_ms", self.closed_ms)
        if self.impression.impression_id != self.recommendation.impression_id:
            raise EventError(
                f"outcome.recommendation must be of its impression {self.impression.impression_id!r}; "
                f"got {self.recommendation.impression_id!r}"
            )


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be used, with the place it came from and the reason.

    Attributes:
        value: the record's value as it was; of a very long one the first part.
        topic, partition, offset: where the record lies.
        reason: why it could not be used, for a person: one short line.
        truncated: length of the whole value in bytes, where `value` is only its first part.
    """

    value: bytes
    topic: str
    partition: int
    offset: int
    reason: str
    truncated: int | None = None
