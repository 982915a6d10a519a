"""`bench headlines`: real headline tests that were never seen, by cross-validation, and a stream of them from nothing.

Cross-validation: tests that share a headline or an image stay together; the policy learns what was counted in the
other folds, a weighted row an arm, and plays the held-out tests online. Stream: tests in the order of time, some at
once, with nothing known before; what reading the texts gains over not reading them, after the first so many tests.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agent.settings import AgentSettings, ExploreSettings
from deploy.bench.headline_play import Earned, play
from deploy.bench.headline_players import BetaThompson, HeadlinePlayer, PolicyPlayer
from deploy.bench.headline_reference import LevelThompson, text_scores
from deploy.bench.headline_tests import Headlines
from deploy.bench.rounds import Ints
from deploy.settings_load import load_settings

SIZES = (500, 2_000, 8_000)
TEMPERED = 0.3  # of the posterior's spread: full-strength Thompson sampling explores far too much here
_AT_ONCE = 30  # slates of a fold that one copy of what was learned plays side by side
Results = dict[str, dict[int, Earned]]


@dataclass(frozen=True)
class HeadlinePlan:
    """What is played.

    Attributes:
        sizes: impressions a slate.
        folds: of cross-validation.
        sample: slates of a fold that are played, at most; drawn by `seed`.
        at_once: slates that run at the same time in the stream.
        stream_size: impressions a slate in the stream.
        skipped: slates of the stream that are played and not counted.
        seed: of samples and draws.
    """

    sizes: tuple[int, ...] = SIZES
    folds: int = 5
    sample: int | None = None
    at_once: int = 16
    stream_size: int = 500
    skipped: int = 300
    seed: int = 0


@dataclass(frozen=True)
class PolicyForm:
    """A policy that plays: its settings, whether it reads texts, and how it explores, by name."""

    settings: AgentSettings
    text: bool
    explores: dict[str, ExploreSettings]

    def player(self, tests: Headlines) -> PolicyPlayer:
        """One that knows nothing and explores as the settings say."""
        return PolicyPlayer(tests, self.settings, text=self.text)


def forms(overrides: Sequence[str]) -> list[PolicyForm]:
    """With texts and without: the agent's settings with overrides, exploring as they say and by tempered Thompson.

    >>> [list(form.explores) for form in forms(["agent.explore.floor=0.02"])]
    [['text', 'text, tempered Thompson'], ['no text', 'no text, tempered Thompson']]
    """
    settings = load_settings(overrides=overrides).agent
    tempered = settings.explore.model_copy(update={"strategy": "thompson", "sd_scale": TEMPERED})
    return [
        PolicyForm(settings, text, {name: settings.explore, f"{name}, tempered Thompson": tempered})
        for name, text in (("text", True), ("no text", False))
    ]


def cross_validate(
    tests: Headlines, plan: HeadlinePlan, players: Sequence[PolicyForm], say: Callable[[str], None]
) -> Results:
    """What each form of the policy, and the references, earn in tests that they have not learned from."""
    found = dict[str, list[dict[int, Earned]]]()
    for fold, held in enumerate(_held_out(tests, plan)):
        known_A = np.flatnonzero(tests.folds(plan.folds, plan.seed)[tests.test_A] != fold)
        rate = float(tests.clicks_A[known_A].sum() / tests.shown_A[known_A].sum())
        count = max(1, round(len(held) / _AT_ONCE))
        parts = [part.tolist() for part in np.array_split(np.array(held), count)]
        for form in players:
            taught = form.player(tests)
            taught.history(known_A)
            for name, explore in form.explores.items():
                copies = [taught.copy(explore) for _ in parts]
                found.setdefault(name, []).extend(_played(tests, plan, parts, copies))
                say(f"fold {fold}: {name} has played {len(held)} slates")
        for name, players_P in _references(tests, known_A, rate, [_random(plan, part) for part in parts]).items():
            found.setdefault(name, []).extend(_played(tests, plan, parts, players_P))
    return {
        name: {size: Earned.together([part[size] for part in parts]) for size in plan.sizes}
        for name, parts in found.items()
    }


def _references(
    tests: Headlines, known_A: Ints, rate: float, randoms: Sequence[np.random.Generator]
) -> dict[str, Sequence[HeadlinePlayer]]:
    """What the policy is held against: a model of headlines alone, and every arm by itself; a player for each part."""
    score_A = text_scores(tests, known_A)
    forms = {
        "reference, text": (score_A, TEMPERED),
        "reference, text, half as tempered": (score_A, TEMPERED / 2),
        "reference, no text": (np.zeros_like(score_A), TEMPERED),
    }
    found: dict[str, Sequence[HeadlinePlayer]] = {
        name: [LevelThompson(prior_A, rate, spread, random) for random in randoms]
        for name, (prior_A, spread) in forms.items()
    }
    return found | {"flat Thompson": [BetaThompson(rate, random) for random in randoms]}


def stream(tests: Headlines, plan: HeadlinePlan, players: Sequence[PolicyForm], say: Callable[[str], None]) -> Results:
    """What each form, exploring as its settings say, earns in the stream after its first slates, which it plays too."""
    order = sorted(range(len(tests.slates)), key=lambda slate: int(tests.slates[slate][0]))
    parts = [order[start : start + plan.at_once] for start in range(0, len(order), plan.at_once)]
    found, size = {}, plan.stream_size
    for form in players:
        player, name = form.player(tests), next(iter(form.explores))
        earned = [play(tests, part, player, [size], _random(plan, part))[size] for part in parts]
        found[name] = {size: Earned.together(earned[-(-plan.skipped // plan.at_once) :])}
        say(f"stream: {name} has played {len(order)} slates")
    return found


def _held_out(tests: Headlines, plan: HeadlinePlan) -> Iterator[list[int]]:
    """The slates of each fold that are played, in the order of time."""
    fold_T = tests.folds(plan.folds, plan.seed)
    fold_S = fold_T[[tests.test_A[arms[0]] for arms in tests.slates]]
    for fold in range(plan.folds):
        held = np.flatnonzero(fold_S == fold)
        if plan.sample is not None and len(held) > plan.sample:
            held = np.sort(np.random.default_rng([plan.seed, fold, 4]).choice(held, plan.sample, replace=False))
        yield held.tolist()


def _played(
    tests: Headlines, plan: HeadlinePlan, parts: Sequence[Sequence[int]], players: Sequence[HeadlinePlayer]
) -> list[dict[int, Earned]]:
    return [
        play(tests, list(part), player, plan.sizes, _random(plan, part))
        for part, player in zip(parts, players, strict=True)
    ]


def _random(plan: HeadlinePlan, part: Sequence[int]) -> np.random.Generator:
    return np.random.default_rng([plan.seed, int(part[0]), 5])
