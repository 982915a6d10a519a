"""The errors of this room.

DeployError
├── SettingsError   a key, a value, a file or an environment variable of the settings is wrong
├── MetricsError    the metrics endpoint cannot be opened
├── SimulationError the simulator waits for an agent that does not decide, or cannot write its file
├── EvaluateError   a log, a policy or a search for settings cannot be evaluated as asked
├── HistoryError    a log of another policy cannot be learned or imported as asked
├── StopError       a run could not end in order within its deadline
└── ReportError     a report cannot be written from what it was given (a `ValueError` as well)
"""


class DeployError(Exception):
    """Everything that this room raises."""


class SettingsError(DeployError):
    """Settings that cannot be used; the message names the full key, the rule, the value and the source it came from."""


class MetricsError(DeployError):
    """The metrics endpoint cannot be opened."""


class SimulationError(DeployError):
    """The simulator waits for an agent that does not decide, or cannot write its file."""


class EvaluateError(DeployError):
    """A log, a policy or a search for settings cannot be evaluated as asked; the message names the option and value."""


class HistoryError(DeployError):
    """A log of another policy cannot be learned or imported as asked, or what was learned cannot be begun from."""


class StopError(DeployError):
    """A run could not end in order within its deadline; the message says what was not done."""


class ReportError(DeployError, ValueError):
    """A report cannot be written from what it was given."""
