"""Vowpal Wabbit's dsjson: the JSON lines that decision services, such as Azure Personalizer, keep of their decisions.

A line holds the context `c` with the actions `_multi`, what was chosen and with which probability, and its cost. Events
of several slots (`_outcomes`, conditional contextual bandits) become slates. What cannot be carried over is counted:
events that are not to be learned from (`_skipLearn`), rewards without their decision, slates of pools (`_slot_id`).

References:
    Agarwal et al. (2016), Making contextual decisions with low technical debt, arXiv 1606.03966, for the service; the
    parser of Vowpal Wabbit for the names of the fields.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from deploy.errors import HistoryError
from deploy.importing.foreign import Foreign, click_on
from deploy.importing.hashed import hashed, texts
from envs.parts import CoreSettings
from stream.errors import EventError
from stream.events import Candidate, Click, Context, Impression, Logged

_USER_IDS = ("user_id", "userid", "user-id")
_ITEM_IDS = ("id", "item_id", "itemid", "actionid", "action_id")
_POLICY = "dsjson"


class _Unfit(Exception):  # noqa: N818 - a reason, caught where it is counted
    """A line that cannot be carried over; the text is the reason."""


class _Chosen(NamedTuple):
    """What was shown in one slot: index of the action, its probability where it is known, and its reward."""

    action: int
    propensity: float | None
    reward: float


def read_dsjson(path: Path, settings: CoreSettings, foreign: Foreign) -> Iterator[Impression | Click]:
    """The decisions of a file as impressions that carry `logged`, each followed by its clicks.

    Args:
        path: the file.
        settings: of the reward.
        foreign: counts what is lost.

    Raises:
        HistoryError: the file cannot be read, or a reward is out of range.
    """
    last_ms = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    event = _event(line)
                    chosen = _chosen(event)
                    impression = _impression(event, chosen, number, last_ms)
                except _Unfit as unfit:
                    foreign.left_out[str(unfit)] += 1
                    continue
                except EventError:
                    foreign.left_out["events that break a rule, such as 1,000 actions at most"] += 1
                    continue
                last_ms = impression.ts_ms
                _note(event, chosen, foreign)
                yield impression
                for each in chosen:
                    item_id = impression.candidates[each.action].item_id
                    click = click_on(impression, item_id, each.reward, f"line {number} of {path}", settings)
                    if click is not None:
                        yield click
    except OSError as error:
        raise HistoryError(f"dsjson must be a file that can be read; got {path} ({error.strerror})") from error


def _event(line: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise _Unfit("lines that are not JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("c"), dict):
        raise _Unfit("lines without a context, such as rewards without their decision")
    if event.get("_skipLearn"):
        raise _Unfit("events that are not to be learned from (_skipLearn)")
    actions = event["c"].get("_multi")
    if not isinstance(actions, list) or not actions or not all(isinstance(action, dict) for action in actions):
        raise _Unfit("events without actions (_multi)")
    if any("_slot_id" in action for action in actions):
        raise _Unfit("slates whose slots have actions of their own (_slot_id)")
    return event


def _chosen(event: Mapping[str, Any]) -> list[_Chosen]:
    count = len(event["c"]["_multi"])
    outcomes = event.get("_outcomes")
    found = [_of_slot(slot) for slot in outcomes] if isinstance(outcomes, list) and outcomes else [_of_label(event)]
    actions = [each.action for each in found]
    if not all(0 <= action < count for action in actions) or len(set(actions)) < len(actions):
        raise _Unfit("events whose choice is not among their actions, or twice there")
    return found


def _of_label(event: Mapping[str, Any]) -> _Chosen:
    """The choice of an event of one slot; actions are numbered from 1, but for `_labelIndex`."""
    ranked = event.get("a")
    if isinstance(event.get("_labelIndex"), int):
        action = event["_labelIndex"]
    elif isinstance(event.get("_label_Action"), int):
        action = event["_label_Action"] - 1
    elif isinstance(ranked, list) and ranked and isinstance(ranked[0], int):
        action = ranked[0] - 1
    else:
        raise _Unfit("events without a choice (_labelIndex, _label_Action, a)")
    told = event.get("_label_probability")
    if told is None and isinstance(ranked, list) and isinstance(event.get("p"), list):
        told = dict(zip(ranked, event["p"], strict=False)).get(action + 1)
    return _Chosen(action, _propensity(told), _reward(event))


def _of_slot(slot: Mapping[str, Any]) -> _Chosen:
    """The choice of one of several slots: the first of its ranking, whose actions are numbered from 0."""
    first = [each[0] if isinstance(each, list) and each else each for each in (slot.get("_a"), slot.get("_p"))]
    if not isinstance(first[0], int):
        raise _Unfit("events without a choice in a slot (_outcomes)")
    return _Chosen(first[0], _propensity(first[1]), _reward(slot))


def _propensity(told: Any) -> float | None:  # noqa: ANN401 - whatever JSON holds
    fits = isinstance(told, int | float) and not isinstance(told, bool) and 0.0 < told <= 1.0
    return float(told) if fits else None


def _reward(labelled: Mapping[str, Any]) -> float:
    cost = labelled.get("_label_cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not math.isfinite(cost):
        raise _Unfit("events without a cost (_label_cost)")
    return -float(cost) or 0.0


def _impression(event: Mapping[str, Any], chosen: Sequence[_Chosen], number: int, last_ms: int) -> Impression:
    shared, actions = event["c"], event["c"]["_multi"]
    name = event.get("EventId")
    name = name if isinstance(name, str) and name else f"line-{number}"
    ids = _item_ids(actions)
    return Impression(
        impression_id=name,
        user_id=_user_id(shared) or name,
        ts_ms=_ts_ms(event.get("Timestamp")) or last_ms + 1,
        context=Context(text=texts(shared), features=hashed(shared, but=(*_USER_IDS, "id"))),
        candidates=tuple(
            Candidate(item_id=item_id, text=texts(action), features=hashed(action, but=_ITEM_IDS))
            for item_id, action in zip(ids, actions, strict=True)
        ),
        slots=len(chosen),
        logged=Logged(
            item_ids=tuple(ids[each.action] for each in chosen),
            propensities=tuple(each.propensity for each in chosen),
            policy=_POLICY,
        ),
    )


def _item_ids(actions: Sequence[Mapping[str, Any]]) -> list[str]:
    """An id for each action: its own, else a hash of what it says; of those that are alike the later ones a number."""
    ids: list[str] = []
    for action in actions:
        own = _named(action, _ITEM_IDS) or action.get("_tag")
        found = str(own) if isinstance(own, str | int) else _digest(action)
        alike = sum(each == found or each.startswith(f"{found}#") for each in ids)
        ids.append(f"{found}#{alike + 1}" if alike else found)
    return ids


def _digest(action: Mapping[str, Any]) -> str:
    content = json.dumps(action, sort_keys=True, separators=(",", ":")).encode()
    return blake2b(content, digest_size=8).hexdigest()


def _user_id(shared: Mapping[str, Any]) -> str | None:
    """The user that a context names: `user_id`, or the `id` of a namespace whose name holds `user`."""
    found = _named(shared, _USER_IDS)
    for name, value in shared.items():
        if found is None and "user" in name.lower() and isinstance(value, dict):
            found = _named(value, ("id",))
    return None if found is None else str(found)


def _named(features: Mapping[str, Any], names: Sequence[str]) -> str | int | None:
    """The first text or whole number under one of the names, at the top or one level below."""
    below = [value for value in features.values() if isinstance(value, dict)]
    for level in (features, *below):
        for name, value in level.items():
            if name.lower() in names and isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return value
    return None


def _ts_ms(told: Any) -> int | None:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(told, str):
        return None
    whole, _, rest = told.removesuffix("Z").partition(".")
    try:
        moment = datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}" if rest.isdigit() else told)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(1, round(moment.timestamp() * 1_000))


def _note(event: Mapping[str, Any], chosen: Sequence[_Chosen], foreign: Foreign) -> None:
    if event.get("pdrop"):
        foreign.notes["events stand for others that the service dropped (pdrop); each counts as one"] += 1
    if any(each.propensity is None for each in chosen):
        foreign.notes["events do not tell their probability: they teach, and carry no estimate"] += 1
    if _ts_ms(event.get("Timestamp")) is None:
        foreign.notes["events without a time stand 1 ms behind the one before"] += 1
