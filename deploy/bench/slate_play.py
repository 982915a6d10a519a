"""One way to fill slates in a world of known click probabilities, through the agent's own front door: `bench slates`.

Ways differ in the section `slates` of the settings alone. `slates` is the default. `ranking` knows nothing of items
that resemble each other: each slot goes to what is left with the highest click probability, explored as ever.
`proportional` also draws later slots in proportion to what the first one leaves. `unexamined` takes all slots to be
seen alike.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agent import BanditAgent
from agent.certificate import Slates, blocks_of
from agent.settings import AgentSettings, SlateSettings
from deploy.bench.errors import BenchError
from deploy.bench.harness import UPDATE, Played
from deploy.bench.results import Result, Task, result_of
from deploy.bench.running import Place
from deploy.bench.slate_world import SLOTS, Floats, Ints, SlateRounds, SlateWorld
from stream.events import Impression, Outcome, Recommendation

WORLD = "slates"
OURS, RANKING, PROPORTIONAL, UNEXAMINED = "slates", "ranking", "proportional", "unexamined"
WAYS: Mapping[str, SlateSettings] = {
    OURS: SlateSettings(),
    RANKING: SlateSettings(redundancy=False),
    PROPORTIONAL: SlateSettings(redundancy=False, later_slots="proportional"),
    UNEXAMINED: SlateSettings(examination=False),
}
SEEDS = (4_000, 4_001, 4_002, 4_003, 4_004)  # of the report; what was tuned saw 0 to 6 and 3,000 to 3,004
TOLD = 2_500  # rounds between two looks at what is learned


def plan_slates(seeds: str | None, rounds: int, ways: str | None = None) -> list[Task]:
    """Every way with every seed, way by way.

    Args:
        seeds: separated by commas; those of the report where not given.
        rounds: slates of a run.
        ways: separated by commas; all where not given. `slates` always is one of them.

    Raises:
        BenchError: a seed is no number, or there is no such way.
    """
    parts = [part.strip() for part in seeds.split(",")] if seeds else [str(seed) for seed in SEEDS]
    for part in parts:
        if not part.isdecimal():
            msg = f"Seeds must be numbers separated by commas; got {part!r}"
            raise BenchError(msg)
    chosen = [OURS, *(way.strip() for way in ways.split(","))] if ways else list(WAYS)
    for way in chosen:
        if way not in WAYS:
            msg = f"A way must be one of {', '.join(WAYS)}; got {way!r}"
            raise BenchError(msg)
    return [Task(WORLD, int(part), way, rounds) for way in dict.fromkeys(chosen) for part in parts]


class Learned(NamedTuple):
    """What a run learned of slates, and what it published.

    Attributes:
        examined_TL: e_l after every 2,500 rounds.
        blocks: what was published, as the certificate wants it.
    """

    examined_TL: Floats
    blocks: list[Slates]


def run_way(task: Task, place: Place) -> Result:
    """Plays one run, and leaves what it learned in a file beside its result."""
    played, learned = play_slates(task)
    path = learned_path(place.out, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        f"{name}.{number}": np.asarray(column)
        for number, block in enumerate(learned.blocks)
        for name, column in block._asdict().items()
        if column is not None
    }
    np.savez_compressed(path, examined_TL=learned.examined_TL, **columns)  # type: ignore[arg-type] # allow_pickle, in the stubs
    settings = WAYS[task.player].model_dump_json(exclude_defaults=True)
    return result_of(task, played, settings=settings, code=place.code, texts_met=None)


def learned_path(out: Path, task: Task) -> Path:
    """Where a run leaves what it learned."""
    return out / "learned" / f"{task.player}-{task.seed}-{task.rounds}.npz"


def read_learned(path: Path) -> Learned:
    """What a run left.

    Raises:
        BenchError: the file is gone.
    """
    if not path.exists():
        msg = f"What a run learned must lie beside its stored result (--fresh plays anew); got no {path}"
        raise BenchError(msg)
    with np.load(path) as arrays:
        numbers = sorted({int(name.rpartition(".")[2]) for name in arrays.files if "." in name})
        blocks = [Slates(**{field: arrays.get(f"{field}.{number}") for field in Slates._fields}) for number in numbers]
        return Learned(arrays["examined_TL"], blocks)


def play_slates(task: Task) -> tuple[Played, Learned]:
    """Plays a world from its first round: 256 slates by a frozen agent, then their outcomes are learned."""
    world, random = SlateWorld(task.seed), np.random.default_rng([task.seed, 5])
    agent = BanditAgent(AgentSettings(slates=WAYS[task.player]), seed=task.seed)
    rates: list[Floats] = []
    examined: list[Floats] = []
    blocks: list[Slates] = []
    spent_s = 0.0
    for start in range(0, task.rounds, UPDATE):
        asked = world.rounds(min(UPDATE, task.rounds - start))
        began = time.perf_counter()
        shown = agent.decide(asked.impressions)
        spent_s += time.perf_counter() - began
        click_BL = asked.clicks(_indices(asked.impressions, shown))
        clicked_BL = (random.random(click_BL.shape) < click_BL).astype(np.float64)
        rates.append(np.stack([click_BL.sum(axis=1), _uniform(asked, random), asked.clicks(asked.best()).sum(axis=1)]))
        blocks += blocks_of(zip(asked.impressions, shown, strict=True))
        began = time.perf_counter()
        agent.learn(_outcomes(asked.impressions, shown, clicked_BL))
        spent_s += time.perf_counter() - began
        if (start + UPDATE) // TOLD > start // TOLD:
            examined.append(agent.examined()[:SLOTS])
    chosen_N, uniform_N, oracle_N = np.concatenate(rates, axis=1)
    return Played(chosen_N, uniform_N, oracle_N, spent_s, 0.0), Learned(np.stack(examined), blocks)


def _indices(impressions: Sequence[Impression], shown: Sequence[Recommendation]) -> Ints:
    found = []
    for impression, recommendation in zip(impressions, shown, strict=True):
        places = {candidate.item_id: place for place, candidate in enumerate(impression.candidates)}
        found.append([places[slot.item_id] for slot in recommendation.slate])
    return np.array(found)


def _uniform(asked: SlateRounds, random: np.random.Generator) -> Floats:
    """Expected clicks of a slate that is drawn evenly, one for each round."""
    order_BK = random.random(asked.attractive_BK.shape).argsort(axis=1)
    total_B: Floats = asked.clicks(order_BK[:, :SLOTS]).sum(axis=1)
    return total_B


def _outcomes(impressions: Sequence[Impression], shown: Sequence[Recommendation], clicked_BL: Floats) -> list[Outcome]:
    return [
        Outcome(impression=impression, recommendation=each, rewards=tuple(clicked), closed_ms=impression.ts_ms + 1)
        for impression, each, clicked in zip(impressions, shown, clicked_BL.tolist(), strict=True)
    ]
