"""How long a start took until the first decision was in the log, and what it took so long for."""

import logging
from collections.abc import Mapping
from typing import Any

from agent.steps import Steps
from stream.meter import Tally

_log = logging.getLogger("streambandit.run")


class FirstDecision:
    """Puts the steps of the driver and of the runner that decided first beside each other, and tells them once.

    Args:
        steps: of the driver.

    Attributes:
        steps: of the driver.
        told: whether the first decision is there and told.

    Steps go on in several processes at once, so each is told by the time at which it was done.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.told = False
        self._done_s: dict[str, float] = {}

    def tell(self, started: Mapping[int, Mapping[str, int]]) -> Tally:
        """Logs the steps when a runner has decided; returns the seconds as a level then, and else nothing.

        Args:
            started: the steps of runners that have decided, by index.
        """
        tally = Tally()
        if started:
            self.told = True
            index = min(started, key=lambda each: started[each]["decided"])
            self._done_s = seconds_of(self.steps.at_ms, started[index])
            tally.level("start_seconds", self._done_s["decided"])
            _log.info(
                "first decision %.1f s after the start; done at: %s",
                self._done_s["decided"],
                ", ".join(f"{step} {done_s:.1f}" for step, done_s in self._done_s.items()),
            )
        return tally

    def figures(self) -> dict[str, Any]:
        """The steps for a run's summary; nothing where no decision was made."""
        return {"start": {step: round(done_s, 2) for step, done_s in self._done_s.items()}} if self.told else {}


def seconds_of(driver_ms: Mapping[str, int], runner_ms: Mapping[str, int]) -> dict[str, float]:
    """When each step was done, in seconds since the driver's process was started, in order.

    The clocks of two machines may differ, and so much may the runner's steps be off where it is on another one.

    >>> seconds_of({"process": 1_000, "ray": 3_500, "built": 5_000}, {"process": 3_600, "decided": 6_250})
    {'ray': 2.5, 'runner process': 2.6, 'built': 4.0, 'decided': 5.25}
    """
    began_ms = driver_ms["process"]
    done = {step: at_ms for step, at_ms in driver_ms.items() if step != "process"}
    done |= {step if step == "decided" else f"runner {step}": at_ms for step, at_ms in runner_ms.items()}
    ordered = sorted(done.items(), key=lambda each: each[1])
    return {step: (at_ms - began_ms) / 1_000 for step, at_ms in ordered}
