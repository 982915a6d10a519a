"""In-process agents over texts, numbers or both, impressions for them, and outcomes of what they decide."""

import numpy as np

from agent.bandit import BanditAgent
from agent.settings import AgentSettings
from stream.events import Candidate, Context, Impression, Outcome
from support.encoders import HashingEncoder, LengthEncoder

T0_MS = 1_700_000_000_000


def agent_of(form, seed=0, refresh_rows=None):
    """An agent for texts, numbers or both (`mixed`, or `manner` as well); for numbers alone without an encoder."""
    expert = {"refresh_rows": refresh_rows} if refresh_rows else {}
    settings = AgentSettings(expert=expert, encoder={"manner": 2 if form == "manner" else 0})
    return BanditAgent(settings, seed=seed, encoder=encoder_of(form))


def encoder_of(form):
    """The encoder of such an agent; None for numbers alone."""
    reading = {"numeric": lambda: None, "manner": LengthEncoder}
    return reading.get(form, HashingEncoder)()


def impression(form, number, count=4, user=None, slots=1, ts_ms=T0_MS):
    """An impression of the form `text`, `numeric`, `mixed` or `manner`; the same number has the same candidates."""
    random = np.random.default_rng(number)
    candidates = tuple(
        Candidate(
            item_id=str(place),
            text=f"text {place} of {number}" if form != "numeric" else None,
            features=tuple(random.normal(size=2).tolist()) if form != "text" else None,
        )
        for place in range(count)
    )
    context = Context(
        text=f"context {number}" if form != "numeric" else None,
        features=tuple(random.normal(size=2).tolist()) if form != "text" else None,
    )
    return Impression(
        impression_id=f"i{number}",
        user_id=user or f"u{number % 5}",
        ts_ms=ts_ms,
        context=context,
        candidates=candidates,
        slots=slots,
    )


def features(name, candidates, context=None, user="u1"):
    """An impression of given numbers."""
    return Impression(
        impression_id=name,
        user_id=user,
        ts_ms=T0_MS,
        context=Context(features=context),
        candidates=tuple(Candidate(item_id=str(place), features=tuple(f)) for place, f in enumerate(candidates)),
    )


def outcomes_of(agent, impressions, rewards=None):
    """What becomes of the agent's decisions: given rewards, one number for all of them, or every other slot clicked."""
    shown = agent.decide(impressions)
    if rewards is None:
        given = [tuple(float((number + slot) % 2) for slot in range(i.slots)) for number, i in enumerate(impressions)]
    else:
        given = [(float(each),) for each in np.broadcast_to(rewards, len(impressions))]
    return [
        Outcome(impression=i, recommendation=r, rewards=g, closed_ms=i.ts_ms + 1_000)
        for i, r, g in zip(impressions, shown, given, strict=True)
    ]


def lessons(agent, form, counts, start=1_000):
    """Outcomes in batches, each decided when the one before was learned."""
    for count in counts:
        yield outcomes_of(agent, [impression(form, start + number) for number in range(count)])
        start += count


def believed(agent, form, fresh=range(50_000, 50_020)):
    """The probabilities over fresh impressions."""
    return [shown.probabilities for shown in agent.decide([impression(form, number) for number in fresh])]


def state_of(agent):
    """Everything that learning may change, as comparable values."""
    policy = agent._learning.policy.state_dict()
    kept = agent._learning.get_state()
    users = {
        user: (state.clicks, state.decisions, state.last_click_ms, state.weights, [v.tolist() for v in state.vectors])
        for user, state in agent.interests.users.items()
    }
    return (
        {name: value.tolist() for name, value in policy.items()},
        {name: [repr(value) for value in column.tolist()] for name, column in kept.items()},  # of NaN, too
        users,
        list(agent.interests.users),
        agent._featurizer.layout,
    )
