"""Attack the guarantees and count.

What: kills of runners, driver and broker in chosen phases under a load that is known exactly; forged and broken input;
rebuilding; rights; and, apart, a long steady run with an outage in its middle.
How to run: `PYTHONPATH=tests:. python -m chaos all [--short]`, one attack with `bare`, `ray`, `swapped` or `repeat` in
place of `all`, and `python -m chaos soak --minutes 30`. The same seed has the same load and the same plan of kills.
Results to expect: a report under `runs/chaos/<seed>` (of one attack: `<seed>-<name>`); exit code 0 when nothing was
lost and nothing came twice, and when the two builds that are broken on purpose were caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos import forms, report
from chaos.attack import AttackPlan, attack
from chaos.fleet import ROOT
from deploy.broker.broker import start_broker

ATTACKS = ("bare", "ray", "swapped", "repeat")
_OTHER_S = 3_600


def main() -> int:
    """Runs what the command line asks for."""
    options = _parser().parse_args()
    if options.what == "soak":
        from chaos.soak import SoakPlan, soak  # noqa: PLC0415 - draws, so it loads more

        wish = SoakPlan(options.seed, options.minutes, options.rate or 100.0, options.outage_s)
        return soak(wish, _fresh(ROOT / "runs" / "soak" / str(options.seed)))
    name = str(options.seed) if options.what == "all" else f"{options.seed}-{options.what}"
    folder = _fresh(ROOT / "runs" / "chaos" / name)
    started_s = time.monotonic()
    done: dict[str, Any] = {"seed": options.seed, "short": options.short, "attacks": {}, "others": {}}
    for name in ATTACKS if options.what == "all" else (options.what,):
        wish = _changed(_wish(name, options), options)
        with start_broker() as broker:  # each its own, so that none inherits what another has broken
            done["attacks"][name] = attack(wish, broker, folder / name)
    if options.what == "all":
        for name, command in forms.others(folder, options.seed, short=options.short).items():
            done["others"][name] = _program(name, command)
    done |= {"seconds": time.monotonic() - started_s, "failures": report.failures_of(done)}
    report.write(done, folder)
    print(report.text(done))  # noqa: T201 - what it is for
    return 1 if done["failures"] else 0


def _wish(name: str, options: argparse.Namespace) -> AttackPlan:
    if name in ("swapped", "repeat"):
        return forms.broken(options.seed, name)
    return (forms.bare if name == "bare" else forms.ray)(options.seed, short=options.short)


def _changed(wish: AttackPlan, options: argparse.Namespace) -> AttackPlan:
    """With what the command line says otherwise; the broken builds stay as they are."""
    if wish.build != "real":
        return wish
    asked = {"impressions": options.impressions, "rate_per_s": options.rate}
    return replace(wish, **{name: value for name, value in asked.items() if value is not None})


def _program(name: str, command: list[str]) -> dict[str, Any]:
    started_s = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT)))}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_OTHER_S, check=False, cwd=ROOT, env=environment
    )
    said = done.stdout if done.returncode == 0 else done.stdout + done.stderr
    seconds = round(time.monotonic() - started_s, 1)
    print(f"{name}: {done.returncode} after {seconds} s", flush=True)  # noqa: T201
    return {"exit_code": done.returncode, "seconds": seconds, "said": said[-4_000:].strip()}


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("all", *ATTACKS, "soak"))
    parser.add_argument("--short", action="store_true", help="little load, few kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--impressions", type=int, help="at least, of an attack on the real build")
    parser.add_argument("--rate", type=float, help="impressions per second")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument("--outage-s", type=float, default=60.0, help="of the broker, in the middle of the soak")
    return parser


if __name__ == "__main__":
    sys.exit(main())
