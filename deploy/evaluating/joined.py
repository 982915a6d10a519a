"""Impressions that carry `logged`, and clicks, joined to outcomes: the attribution of a run, over a whole file."""

from collections.abc import Callable, Iterable, Iterator

from envs.decision import logged_recommendation
from envs.parts import CoreSettings
from envs.reward import slot_rewards
from stream.events import Click, Impression, Outcome
from stream.join import Arrival, ClickJoin, OpenDecision
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
    return list(joining(sorted(events, key=lambda each: (each.ts_ms, isinstance(each, Click))), settings, 0))


def joining(
    events: Iterable[Impression | Click],
    settings: CoreSettings,
    out_of_order_ms: int,
    passed: Callable[[Arrival], None] = lambda _: None,
) -> Iterator[Outcome]:
    """The outcomes of impressions that carry `logged` as they close, with what is open in memory alone.

    Args:
        events: none further behind the newest before it than `out_of_order_ms`; an impression that is further behind
            than that and the window is late, and passed over.
        settings: attribution window and reward.
        out_of_order_ms: how far events may be out of order, in event time.
        passed: is told why an impression was passed over: it is late, or repeated.
    """
    join, newest_ms = ClickJoin(settings.attribution), 0
    for number, event in enumerate(events):
        newest_ms = max(newest_ms, event.ts_ms)
        closed, _ = join.advance(newest_ms - out_of_order_ms - 1)  # more events of this moment may come
        yield from (_outcome(each, settings) for each in closed)
        if isinstance(event, Click):
            join.click(event, number)
        elif (fate := join.arrive(event, Origin(number))) == "new":
            join.decide(logged_recommendation(event, event.user_id))
        else:
            passed(fate)
    yield from (_outcome(each, settings) for each in join.close_all()[0])


def _outcome(closed: OpenDecision, settings: CoreSettings) -> Outcome:
    return Outcome(
        impression=closed.impression,
        recommendation=closed.shown,
        rewards=slot_rewards(settings.reward, closed.shown, closed.clicks),
        clicks=closed.clicks,
        closed_ms=closed.impression.ts_ms + settings.attribution.window_ms,
    )
