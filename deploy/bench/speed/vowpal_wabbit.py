"""Vowpal Wabbit as its users have it from Python: events are written in its text format, line by line.

The learned policy beside ours in reports of learning is `deploy.bench.peer_vw`; this one is about time alone, reads
events, and leaves out what would make its features better.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from deploy.bench.errors import BenchError
from stream.events import Impression, Outcome

_COMMAND = "--cb_explore_adf --squarecb --quiet --random_seed 0"
_DIGITS = "%.5g"


class VowpalWabbit:
    """Decides impressions and learns outcomes.

    Args:
        crossed: more of its command line; `-q ui` crosses context and candidate.

    Raises:
        BenchError: the library is not installed.
    """

    def __init__(self, crossed: str) -> None:
        try:
            self._vw: Any = import_module("vowpalwabbit").Workspace(f"{_COMMAND} {crossed}")
        except ModuleNotFoundError as error:
            msg = f"Peers must be installed (pip install 'streambandit[peers]'); got no module {error.name!r}"
            raise BenchError(msg) from error
        self._random = np.random.default_rng(0)

    def decide(self, impressions: Sequence[Impression]) -> list[tuple[int, float]]:
        """The index of what is shown, and its probability, for each impression."""
        return [self._draw(self._vw.predict(_lines(impression))) for impression in impressions]

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Learns closed decisions."""
        for outcome in outcomes:
            self._vw.learn(_labelled(outcome))

    def parsed(self, impressions: Sequence[Impression], outcomes: Sequence[Outcome] = ()) -> list[Any]:
        """Impressions, or their outcomes, written and parsed beforehand."""
        written = [_labelled(outcome) for outcome in outcomes] or [_lines(impression) for impression in impressions]
        return [self._vw.parse(lines) for lines in written]

    def decide_parsed(self, parsed: Sequence[Any]) -> list[tuple[int, float]]:
        """As `decide`."""
        drawn = [self._draw(self._vw.predict(example)) for example in parsed]
        self._finish(parsed)
        return drawn

    def learn_parsed(self, parsed: Sequence[Any]) -> None:
        """As `learn`."""
        for example in parsed:
            self._vw.learn(example)
        self._finish(parsed)

    def _draw(self, probabilities: Sequence[float]) -> tuple[int, float]:
        point, total = self._random.random(), 0.0
        for index, probability in enumerate(probabilities):
            total += probability
            if point < total:
                return index, probability
        return len(probabilities) - 1, probabilities[-1]

    def _finish(self, parsed: Sequence[Any]) -> None:
        for example in parsed:
            self._vw.finish_example(example)


def _lines(impression: Impression) -> list[str]:
    """A shared line with the context, and a line for each candidate."""
    return [
        f"shared |u {_numbers(impression.context.features or ())}",
        *[f"|i {_numbers(candidate.features or ())}" for candidate in impression.candidates],
    ]


def _labelled(outcome: Outcome) -> list[str]:
    """The same with action, cost and probability in the line of what was shown."""
    slot, lines = outcome.recommendation.slate[0], _lines(outcome.impression)
    shown = [candidate.item_id for candidate in outcome.impression.candidates].index(slot.item_id)
    lines[shown + 1] = f"0:{-outcome.rewards[0]:g}:{slot.propensity:.6g} {lines[shown + 1]}"
    return lines


def _numbers(features: Sequence[float]) -> str:
    return _FORMAT[len(features)] % features


class _Formats(dict[int, str]):
    """The format of so many features, made once: the fastest way to write them."""

    def __missing__(self, count: int) -> str:
        self[count] = " ".join(f"{index}:{_DIGITS}" for index in range(count))
        return self[count]


_FORMAT = _Formats()
