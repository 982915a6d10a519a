"""Target policies of the agent: as it was saved, and as it learns the log.

What was known of a user is read from the log, as learning reads it, and not from a store: a store of later days would
know what the decision could not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from agent.belief import Belief
from agent.explore import probabilities, sigmoid
from agent.interests import InterestStore
from agent.learning import Learning
from agent.outcome_fold import delays_of
from agent.policy import Policy
from agent.settings import AgentSettings
from agent.strategies import greedy as greedy_shares
from deploy.errors import EvaluateError
from deploy.evaluating.log import Doubles, LoggedDecisions
from deploy.evaluating.target import Target
from envs.features import Featurizer
from envs.observation import user_vectors
from envs.protocols import Encoder
from stream.events import Outcome

_BATCH = 256  # decisions that are scored together
_LEAST = 1e-9


@dataclass(frozen=True)
class Frozen:
    """A policy that does not learn, and what makes vectors for it."""

    policy: Policy
    featurizer: Featurizer


class _Told(NamedTuple):
    probability_m: Doubles
    expected_m: Doubles


def frozen_target(name: str, log: LoggedDecisions, frozen: Frozen, *, greedy: bool) -> Target:
    """What a saved policy would have done.

    Args:
        name: as it was asked for.
        log: with its outcomes.
        frozen: the policy.
        greedy: whether it shows what it holds best, always; else it explores as its settings say.

    Raises:
        EvaluateError: the log has no outcomes, or they do not fit the policy.
        FeatureError: numeric features do not fit the policy.
    """
    outcomes = outcomes_of(log)
    frozen.featurizer.check([outcome.impression for outcome in outcomes])
    batches = (outcomes[start : start + _BATCH] for start in range(0, len(outcomes), _BATCH))
    told = [_told(frozen.policy, frozen.featurizer, batch, greedy=greedy) for batch in batches]
    probability_M = np.concatenate([each.probability_m for each in told])
    doubt = "the estimates hold if the policy has not learned from these decisions"
    return Target(name, probability_M[log.shown_N], probability_M, notes=(doubt,))


def learning_target(name: str, log: LoggedDecisions, agent: AgentSettings, encoder: Encoder) -> Target:
    """Progressive validation: the policy learns the log in its order, each decision judged before it is learned.

    Updates are cut as in a run, from a policy that knows nothing. It learns every decision, also those whose
    propensity is not known.

    Args:
        name: as it was asked for.
        log: with its outcomes.
        agent: the policy's settings.
        encoder: of texts.

    Raises:
        EvaluateError: the log has no outcomes, or they do not fit each other.
        FeatureError, LearnError: numeric features differ in length, or a reward lies outside [0, 1].

    References:
        Blum, Kalai, Langford (1999), Beating the hold-out: bounds for k-fold and progressive cross-validation.
    """
    outcomes = outcomes_of(log)
    featurizer = Featurizer(agent.features, encoder)
    featurizer.check([outcome.impression for outcome in outcomes])
    learning = Learning(Policy(agent, featurizer.layout))
    told, fitted = [], []
    for update in _updates(outcomes, agent.update_rows):
        told.append(_told(learning.policy, featurizer, update, greedy=False))
        fitted += [learning.fitted] * len(update)
        learning.learn(featurizer.rows(update), delays_of(update))
    probability_M = np.concatenate([each.probability_m for each in told])
    expected_M = np.concatenate([each.expected_m for each in told])
    fitted_N = np.array(fitted)
    q_N = np.clip(expected_M[log.shown_N], _LEAST, 1.0 - _LEAST)
    loss_N = -(log.reward_N * np.log(q_N) + (1.0 - log.reward_N) * np.log1p(-q_N))
    return Target(
        name,
        probability_M[log.shown_N],
        probability_M,
        expected_M=np.where(np.repeat(fitted_N, log.counts_N), expected_M, 0.0),
        loss_N=np.where(fitted_N, loss_N, np.nan),
    )


def outcomes_of(log: LoggedDecisions) -> list[Outcome]:
    """The log's decisions as events.

    Raises:
        EvaluateError: it has none.
    """
    if log.outcomes is None:
        raise EvaluateError(f"policies of the agent read events; {log.name} has none. Import it first")
    return log.outcomes()


def _updates(outcomes: Sequence[Outcome], rows: int) -> Iterator[Sequence[Outcome]]:
    """Outcomes in parts of at least so many rows each, but for the last."""
    start = held = 0
    for stop, outcome in enumerate(outcomes, start=1):
        held += len(outcome.rewards)
        if held >= rows or stop == len(outcomes):
            yield outcomes[start:stop]
            start, held = stop, 0


def _told(policy: Policy, featurizer: Featurizer, outcomes: Sequence[Outcome], *, greedy: bool) -> _Told:
    belief = _belief(policy, featurizer, outcomes)
    shares_m = greedy_shares(policy.explore, belief) if greedy else probabilities(policy.explore, belief)
    return _Told(shares_m, sigmoid(belief.logit_N))


def _belief(policy: Policy, featurizer: Featurizer, outcomes: Sequence[Outcome]) -> Belief:
    nobody = InterestStore(policy.settings.interests)
    impressions = [outcome.impression for outcome in outcomes]
    observation = featurizer.observe(impressions, [(nobody, impression.user_id) for impression in impressions])
    interest = featurizer.layout.interest
    try:
        user_BU = user_vectors([outcome.recommendation.knew for outcome in outcomes], interest)
    except ValueError as error:
        raise EvaluateError(f"interests in the log must fit the policy's, of the length {interest}: {error}") from error
    return policy.believe(replace(observation, user_BU=user_BU))
