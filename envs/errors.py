"""The errors of this room.

EnvsError
├── FeatureError   an event does not fit the layout of features (a `ValueError` as well)
├── ActionError    an action that no decision can be made of (a `ValueError` as well)
└── WorldError     a world cannot be built from what it was given (a `ValueError` as well)
"""


class EnvsError(Exception):
    """Everything that this room raises."""


class FeatureError(EnvsError, ValueError):
    """An event does not fit the layout of features; the message names the thing, the rule and the value."""


class ActionError(EnvsError, ValueError):
    """An action that no decision can be made of."""


class WorldError(EnvsError, ValueError):
    """A world cannot be built from what it was given."""
