"""The base of every settings section, and the sections of this room."""

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """One frozen, validated part of the settings tree; an unknown key or a wrong value names itself.

    >>> AttributionSettings(window_ms=5000).window_ms
    5000
    >>> try:
    ...     AttributionSettings(windw_ms=1)
    ... except ValueError as error:
    ...     print(str(error).splitlines()[1:3])
    ['windw_ms', '  Extra inputs are not permitted [type=extra_forbidden, input_value=1, input_type=int]']
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class AttributionSettings(Section):
    """How clicks are attributed to decisions, in event time."""

    window_ms: int = Field(30_000, ge=1, description="a click counts within this time after its impression")
    out_of_order_ms: int = Field(1_000, ge=0, description="how far behind the newest event the watermark stays")
    max_skew_ms: int = Field(60_000, ge=0, description="an event further ahead of its record's time is a dead letter")
    idle_ms: int = Field(5_000, ge=1, description="processing time without events after which a partition is idle")
    max_open_bytes: int = Field(
        268_435_456, ge=1, description="memory for the open decisions of a partition; the oldest closes past it"
    )
    max_early_bytes: int = Field(
        33_554_432, ge=1, description="memory for the early clicks of a partition; the next is dropped past it"
    )
    max_clicks: int = Field(100, ge=1, le=130, description="clicks joined to one decision; later ones are dropped")
