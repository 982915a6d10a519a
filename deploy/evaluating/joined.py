"""Impressions that carry `logged`, and clicks, joined to outcomes: the attribution of a run, over a whole file."""

from collections.abc import Iterable, Iterator

from envs.decision import logged_recommendation
from envs.parts import CoreSettings
from envs.reward import slot_rewards
from stream.events import Click, Impression, Outcome
from stream.join import ClickJoin, OpenDecision
from stream.open_decisions import Origin


def joined_outcomes(events: Iterable[Impression | Click], settings: CoreSettings) -> list[Outcome]:
    """The outcomes of impressions that carry `logged`, by the time of their close.

    The events are taken in event time, so it does not matter in which order they are given.

    >>> from stream.events import Candidate, Logged
    >>> shown = Impression(impression_id="i", user_id="u", ts_ms=5, candidates=(Candidate(item_id="a"),),
    ...     logged=Logged(item_ids=("a",), propensities=(1.0,)))
    >>> joined_outcomes([Click(impression_id="i", user_id="u", item_id="a", ts_ms=9), shown], CoreSettings())[0].rewards
    (1.0,)
    """
    return list(_joined(sorted(events, key=lambda each: (each.ts_ms, isinstance(each, Click))), settings))


def _joined(events: list[Impression | Click], settings: CoreSettings) -> Iterator[Outcome]:
    join = ClickJoin(settings.attribution)
    for number, event in enumerate(events):
        closed, _ = join.advance(event.ts_ms - 1)  # more events of this moment may come
        yield from (_outcome(each, settings) for each in closed)
        if isinstance(event, Click):
            join.click(event, number)
        elif join.arrive(event, Origin(number)) == "new":
            join.decide(logged_recommendation(event, event.user_id))
    yield from (_outcome(each, settings) for each in join.close_all()[0])


def _outcome(closed: OpenDecision, settings: CoreSettings) -> Outcome:
    return Outcome(
        impression=closed.impression,
        recommendation=closed.shown,
        rewards=slot_rewards(settings.reward, closed.shown, closed.clicks),
        clicks=closed.clicks,
        closed_ms=closed.impression.ts_ms + settings.attribution.window_ms,
    )
