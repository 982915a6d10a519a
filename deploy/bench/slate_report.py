"""What slates earn, how often slots are seen, and whether slates come as they are published, in tables."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agent.certificate import Certificate, certify_slates
from deploy.bench.compare import Mean, mean_of
from deploy.bench.results import Result
from deploy.bench.slate_play import OURS, TOLD, Learned, learned_path, read_learned
from deploy.bench.slate_world import EXAMINED_L, SLOTS


def report(results: Sequence[Result], out: Path) -> tuple[str, list[str]]:
    """The report in Markdown, and a JSON line against each other way.

    Args:
        results: of every way on the same seeds, ours among them.
        out: folder of the benchmark.

    Raises:
        BenchError: what a run learned is gone.
    """
    learned = {each.seed: read_learned(learned_path(out, each.task)) for each in results if each.player == OURS}
    certificate = certify_slates(block for each in learned.values() for block in each.blocks)
    lines = [*_earned(results), "", *_examined(learned), "", *_frequencies(certificate)]
    return "\n".join(lines) + "\n", list(_json_lines(results))


def _earned(results: Sequence[Result]) -> Iterator[str]:
    seeds = sorted({each.seed for each in results})
    yield f"## Expected clicks a slate, {results[0].rounds:,} slates of {SLOTS} a seed"
    yield ""
    yield "| way | clicks | normalised | of which the last quarter | to ours, paired |"
    yield "| --- | --- | --- | --- | --- |"
    for player in dict.fromkeys(each.player for each in results):
        runs = [each for each in results if each.player == player]
        apart = "" if player == OURS else str(_behind(results, player))
        quarter = mean_of([each.quarters[-1] for each in runs])
        yield (
            f"| {player} | {mean_of([each.chosen for each in runs])} | {mean_of([each.lift for each in runs])} "
            f"| {quarter} | {apart} |"
        )
    yield f"| uniform | {mean_of([each.uniform for each in results if each.player == OURS])} | 0 | 0 | |"
    yield f"| best of each slot | {mean_of([each.oracle for each in results if each.player == OURS])} | 1 | 1 | |"
    yield ""
    yield f"Seeds {', '.join(map(str, seeds))}; mean and 95 % interval over seeds."


def _behind(results: Sequence[Result], player: str) -> Mean:
    """Ours less another way, normalised, paired by seed."""
    ours = {each.seed: each.lift for each in results if each.player == OURS}
    return mean_of([ours[each.seed] - each.lift for each in results if each.player == player])


def _examined(learned: dict[int, Learned]) -> Iterator[str]:
    yield "## How often each slot is seen, as learned"
    yield ""
    yield "| seed | slates learned | " + " | ".join(f"slot {slot}" for slot in range(1, SLOTS)) + " | furthest off |"
    yield "| --- |" + " --- |" * (SLOTS + 1)
    yield "| true | | " + " | ".join(f"{each:.2f}" for each in EXAMINED_L[1:]) + " | |"
    for seed, each in learned.items():
        for looks in sorted({len(each.examined_TL) // 4, len(each.examined_TL) // 2, len(each.examined_TL)} - {0}):
            found_L = each.examined_TL[looks - 1]
            off = float(np.abs(found_L / EXAMINED_L - 1.0).max())
            told = " | ".join(f"{value:.3f}" for value in found_L[1:])
            yield f"| {seed} | {looks * TOLD:,} | {told} | {off:.1%} |"


def _frequencies(certificate: Certificate) -> Iterator[str]:
    # of one way: another way draws by the same numbers with the same seed, so the two are not independent
    yield f"## Do slates come as published? {certificate.decisions:,} slates of `{OURS}`"
    yield ""
    yield "| what | chi-square | degrees of freedom | p |"
    yield "| --- | --- | --- | --- |"
    for slot, test in enumerate(certificate.slots):
        yield f"| slot {slot} | {test.chi_square:.1f} | {test.freedom} | {test.p_value:.3f} |"
    whole = certificate.slate
    yield f"| the slate | {whole.chi_square:.1f} | {whole.freedom} | {whole.p_value:.3f} |"
    yield ""
    yield (
        f"Decisions whose slots their probabilities do not explain: {certificate.unexplained}; "
        f"whose slate propensity is not the product of the slots': {certificate.misproducts}."
    )


def _json_lines(results: Sequence[Result]) -> Iterator[str]:
    ours = mean_of([each.lift for each in results if each.player == OURS])
    for player in dict.fromkeys(each.player for each in results if each.player != OURS):
        theirs, apart = mean_of([each.lift for each in results if each.player == player]), _behind(results, player)
        yield json.dumps(
            {
                "name": f"slates-{player}",
                "ratio": round(ours.mean / theirs.mean, 4),
                "ours": round(ours.mean, 4),
                "theirs": round(theirs.mean, 4),
                "unit": "normalised expected clicks a slate",
                "spread": None if apart.half is None else round(apart.half, 4),
            }
        )
