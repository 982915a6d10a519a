"""What `--policy` can name."""

from collections.abc import Sequence
from pathlib import Path

from agent.encoder.local import local_encoder
from deploy.errors import EvaluateError
from deploy.evaluating.learned_target import frozen_target, learning_target, outcomes_of
from deploy.evaluating.log import LoggedDecisions
from deploy.evaluating.saved_policy import load_policy
from deploy.evaluating.target import SIMPLE, Target
from deploy.settings import Settings
from deploy.settings_load import load_settings

_SAVED = ("greedy", "snapshot")
_NAMES = (*SIMPLE, *(f"{kind}:PATH" for kind in _SAVED), "settings:FILE.toml", "settings:")


def target_of(policy: str, log: LoggedDecisions, settings: Settings, overrides: Sequence[str] = ()) -> Target:
    """What the named policy would have done on a log.

    Args:
        policy: `uniform`, `logging`, `logged-scores`; `snapshot:PATH` or `greedy:PATH` for a saved policy, exploring or
            not; `settings:FILE.toml` for a new policy that learns the log, `settings:` for one of the defaults.
        log: the decisions.
        settings: of this command; what is set of `agent.explore` holds for a saved policy.
        overrides: `KEY=VALUE` settings that come before those of the file.

    Raises:
        EvaluateError: no such policy, or the log cannot carry it.
        SettingsError: the file of settings is wrong.
        AgentError, EnvsError: the policy cannot be read, or does not fit the log.
    """
    kind, separator, where = policy.partition(":")
    if not separator and kind in SIMPLE:
        return SIMPLE[kind](log)
    if separator and kind in _SAVED and where:
        outcomes_of(log)
        return frozen_target(policy, log, load_policy(Path(where), settings.agent), greedy=kind == "greedy")
    if separator and kind == "settings":
        agent = load_settings(Path(where), overrides).agent if where else settings.agent
        return learning_target(policy, log, agent, local_encoder(agent.encoder))
    raise EvaluateError(f"--policy must be one of {', '.join(_NAMES)}; got {policy!r}")
