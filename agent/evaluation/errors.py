"""The error of off-policy evaluation, a branch of the tree in `agent.errors`."""

from agent.errors import AgentError


class EvaluationError(AgentError, ValueError):
    """Arrays or options that nothing can be estimated from; the message names the thing, the rule and the value."""
