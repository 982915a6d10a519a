"""The errors of this room.

StreamError
├── EventError      an event breaks a rule of its type (a `ValueError` as well)
│   └── CodecError  bytes that are not an event of the expected type and schema version
├── LogFullError         the bounded log is at its capacity
├── LogUnavailableError  the log did not answer within its deadline
├── TopicError      topics are missing, or not as the agent needs them
├── AccessError     the log knows who we are and refuses: a right is missing
├── SecretError     a file of a secret cannot be read
└── CommitFailedError    a unit of work was not committed; nothing of it is visible
"""


class StreamError(Exception):
    """Everything that this room raises."""


class EventError(StreamError, ValueError):
    """An event breaks a rule of its type; the message names the thing, the rule and the value."""


class CodecError(EventError):
    """Bytes that are not an event of the expected type and schema version."""


class LogFullError(StreamError):
    """The bounded log is at its capacity and refuses more."""


class LogUnavailableError(StreamError):
    """The log did not answer within its deadline."""


class CommitFailedError(StreamError):
    """A unit of work was not committed: nothing that it published is visible, no position moved."""


class TopicError(StreamError):
    """Topics are missing, or not as the agent needs them."""


class AccessError(StreamError):
    """The log knows who we are and refuses; the message names the right that is missing. Trying again is no use."""


class SecretError(StreamError):
    """A file of a secret cannot be read; the message never shows what it holds."""
