"""Mutated records by the million through codec and environment, on all cores.

What: broken, hostile and valid impressions and clicks, in batches; after each batch all accounts must balance.
How to run: `PYTHONPATH=tests python tests/chaos/fuzz.py --records 1000000 --seed 0`; one batch again with `--batch N`.
Results to expect: one JSON line with what became of the records and the reasons of dead letters; exit code 0. On a
violation the exit code is 1, the records of the batch are stored, the last one the cause where it was a single one.
"""

import argparse
import faulthandler
import json
import multiprocessing
import os
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

from support.fuzzing import BATCH, ViolationError, fuzz

from stream.record_file import write_records

BATCH_S = 120  # a batch takes a tenth of a second, but a busy machine is no hang


def run_batch(seed: int, number: int, folder: Path) -> tuple[Counter, float, str]:
    """One batch: its counts, the seconds of its slowest step, and what was violated; empty where nothing was."""
    faulthandler.dump_traceback_later(BATCH_S, exit=False)  # tells where it hangs before the watchdog ends it
    try:
        counts, slowest = fuzz(_seed(seed, number), restart=_restarts(number))
    except ViolationError as violation:
        return _stored(seed, number, folder, violation)
    finally:
        faulthandler.cancel_dump_traceback_later()
    return counts, slowest, ""


def _seed(seed: int, number: int) -> int:
    return seed * 1_000_003 + number


def _restarts(number: int) -> bool:
    return number % 4 == 3


def _stored(seed: int, number: int, folder: Path, found: ViolationError) -> tuple[Counter, float, str]:
    """Keeps the records that led to a violation; taken in one by one, the last of them is the cause of a crash."""
    try:
        fuzz(_seed(seed, number), step=1, restart=_restarts(number))
    except ViolationError as single:
        found = single
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed-{seed}-batch-{number}.jsonl"
    write_records(path, found.records)
    return Counter(), 0.0, f"batch {number}: {found}; its records are in {path}"


def run_all(numbers: range, options: argparse.Namespace) -> tuple[Counter, float, list[str]]:
    """All batches over all cores; a batch that hangs is a violation and ends the run."""
    totals, slowest, violations = Counter(), 0.0, []
    pool = multiprocessing.get_context("spawn").Pool(options.processes)
    try:
        waiting = [pool.apply_async(run_batch, (options.seed, number, options.keep)) for number in numbers]
        for number, result in zip(numbers, waiting, strict=True):
            try:
                counts, seconds, violated = result.get(timeout=2 * BATCH_S)
            except multiprocessing.TimeoutError:
                violations.append(f"batch {number}: must end within {BATCH_S} s; it hangs")
                break
            totals.update(counts)
            slowest = max(slowest, seconds)
            violations += [violated] if violated else []
    finally:
        pool.terminate()
    return totals, slowest, violations


def main() -> int:
    """Runs the batches and prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, help="only this batch")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="where records of a violation go")
    options = parser.parse_args()
    one = options.batch
    numbers = range(-(-options.records // BATCH)) if one is None else range(one, one + 1)
    started = perf_counter()
    totals, slowest, violations = run_all(numbers, options)
    seconds = perf_counter() - started
    summary = _summary(options.seed, len(numbers) * BATCH, totals, seconds, slowest) | {"violations": violations}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if violations else 0


def _summary(seed: int, records: int, totals: Counter, seconds: float, slowest: float) -> dict:
    grouped: dict[str, dict[str, int]] = {}
    for (name, label), count in totals.most_common():
        grouped.setdefault(name, {})[label] = int(count)
    return {
        "name": "fuzz",
        "seed": seed,
        "records": records,
        "records_per_second": round(records / seconds),
        "slowest_step_ms": round(1_000 * slowest),
        **grouped,
    }


if __name__ == "__main__":
    sys.exit(main())
