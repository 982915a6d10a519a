"""The first few fields of an event: enough to find its decision, at a fraction of the cost of reading all of it.

A head checks no rules. It is for records that are known to be valid, because they were read in full before.
"""

import msgspec

from stream.events import Event


class ImpressionHead(Event, frozen=True, kw_only=True):
    """Of whom an impression is, and when. `logged` is JSON as it stands there, empty where there is none."""

    impression_id: str
    user_id: str
    ts_ms: int
    logged: msgspec.Raw = msgspec.Raw()

    @property
    def is_logged(self) -> bool:
        """Whether another policy has shown it already."""
        return bytes(self.logged) not in (b"", b"null")


class RecommendationHead(Event, frozen=True, kw_only=True):
    """Which decision a recommendation is."""

    decision_id: str
    impression_id: str
    user_id: str
    ts_ms: int


class _DecisionHead(Event, frozen=True, kw_only=True):
    decision_id: str


class OutcomeHead(Event, frozen=True, kw_only=True):
    """Which decision has closed, and at which watermark."""

    recommendation: _DecisionHead
    closed_ms: int

    @property
    def decision_id(self) -> str:
        """The id of the decision."""
        return self.recommendation.decision_id
