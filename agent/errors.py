"""The errors of this room.

AgentError
├── EncoderError    an encoder cannot be loaded, or gave something unusable
├── SnapshotError   a snapshot cannot be read
├── CheckpointError a checkpoint does not fit the agent that it is restored into, or cannot be written
├── ExploreError    a belief lacks what a strategy needs
├── EvaluationError arrays or options that nothing can be estimated from (agent.evaluation.errors)
└── LearnError      rows that nothing can be learned from
"""


class AgentError(Exception):
    """Everything that this room raises."""


class EncoderError(AgentError):
    """An encoder cannot be loaded, or gave something unusable."""


class SnapshotError(AgentError):
    """A snapshot cannot be read."""


class CheckpointError(AgentError):
    """A checkpoint does not fit the agent that it is restored into, or cannot be written."""


class ExploreError(AgentError, ValueError):
    """A belief lacks what a strategy needs; the message names the strategy, the field and what was there."""


class LearnError(AgentError, ValueError):
    """Rows that nothing can be learned from; the message names the thing, the rule and the value."""
