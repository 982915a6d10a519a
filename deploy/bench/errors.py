"""The errors of the learning benchmark.

DeployError
└── BenchError   a world, a player or a stored result cannot be used
"""

from deploy.errors import DeployError


class BenchError(DeployError):
    """A world, a player or a stored result cannot be used; the message names it, the rule and the value."""
