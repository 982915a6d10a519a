"""Kills processes in chosen phases, and counts only those that were alive and died of it."""

import os
import random
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

from chaos.marks import Seen, Watch, runs

_BEFORE_REPLAY = {"runner": "polling", "driver": "stepping"}


class Strike(NamedTuple):
    """One planned kill.

    Attributes:
        target: `runner`, `driver` or `broker`.
        phase: of the process; a broker has only `up`.
        rest_s: load without a kill before it.
        linger_s: how far into the phase; for a broker how long it stays down.
        recovery: whether the agent must commit again before this kill.
    """

    target: str
    phase: str
    rest_s: float
    linger_s: float
    recovery: bool = True


@dataclass(frozen=True)
class Kill:
    """One kill that was carried out.

    Attributes:
        target: of the strike.
        wanted: the phase that it was for.
        phase: the phase the process died in, by its own mark; "" where none was found.
        pid: of the process; 0 where none was found.
        died: whether it was alive before the signal and gone after it.
        at_s: seconds since the start of the attack.
        recovery_s: from here until the agent committed again.
    """

    target: str
    wanted: str
    phase: str
    pid: int
    died: bool
    at_s: float
    recovery_s: float | None = None


class Killable(Protocol):
    """A broker."""

    @property
    def pid(self) -> int | None: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...


def plan(seed: int, wanted: dict[tuple[str, str], int]) -> list[Strike]:
    """So many kills of each target in each phase, in an order and at moments that follow from the seed.

    A replay needs a start or a rebalance, so a kill in a replay follows close on one out of it.
    """
    draw = random.Random(seed)
    order = [place for place, times in sorted(wanted.items()) for _ in range(times)]
    draw.shuffle(order)
    strikes = []
    for target, phase in order:
        linger_s = draw.uniform(1, 3) if target == "broker" else draw.choice((0.0, draw.uniform(0, 0.3)))
        if phase == "replay":
            strikes.append(Strike(target, _BEFORE_REPLAY[target], draw.uniform(0.5, 2.5), 0.0))
        rest_s = 0.0 if phase == "replay" else draw.uniform(0.5, 2.5)
        strikes.append(Strike(target, phase, rest_s, linger_s, recovery=phase != "replay"))
    return strikes


@dataclass
class Killer:
    """Carries out a plan.

    Attributes:
        watch: on the marks of all processes.
        broker: to kill as well.
        tend: called all the while; restarts what died.
        patience_s: how long a phase, or a recovery, is waited for.
        kills: what was carried out.
        violations: recoveries that did not come.
    """

    watch: Watch
    broker: Killable
    tend: Callable[[], None]
    patience_s: float = 120.0
    kills: list[Kill] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start_s = time.monotonic()
        self._orphans: frozenset[int] = frozenset()

    def carry_out(self, strikes: list[Strike], until_s: float) -> None:
        """All of it, or as much as the time allows.

        Args:
            strikes: the plan.
            until_s: seconds after which no further kill is begun.
        """
        for strike in strikes:
            if strike.recovery:
                self.recover()
            if time.monotonic() - self._start_s > until_s:
                break
            self._rest(strike.rest_s)
            kill = self._kill_broker(strike) if strike.target == "broker" else self._kill_process(strike)
            self.kills.append(kill)
        self.recover()

    def recover(self) -> None:
        """Waits until the agent commits again; runners that outlive their driver for a moment are not counted."""
        before, start_s = self._commits(), time.monotonic()
        if not self._wait(lambda: self._commits() >= before + 3):
            self.violations.append(f"agent must commit within {self.patience_s:.0f} s of start or kill; it did not")
        if self.kills and self.kills[-1].recovery_s is None:
            last = asdict(self.kills[-1]) | {"recovery_s": round(time.monotonic() - start_s, 2)}
            self.kills[-1] = Kill(**last)

    def summary(self) -> dict[str, Any]:
        """Kills by target and by the phase that was died in, and each of them."""
        counted = Counter(f"{kill.target} {kill.phase}" for kill in self.kills if kill.died)
        return {
            "kills": dict(sorted(counted.items())),
            "kills_counted": counted.total(),
            "kills_missed": len(self.kills) - counted.total(),
            "kill_list": [asdict(kill) for kill in self.kills],
        }

    def _commits(self) -> int:
        return sum(seen.commits for seen in self.watch.all() if seen.pid not in self._orphans)

    def _kill_process(self, strike: Strike) -> Kill:
        found: list[Seen] = []
        trapped: dict[int, Seen] = {}

        def in_phase() -> bool:
            for seen in self.watch.living(strike.target):
                if seen.pid not in trapped:
                    seen.trap(strike.phase)
                    trapped[seen.pid] = seen
                if seen.phase == strike.phase:
                    found.append(seen)
            return bool(found)

        self._wait(in_phase)
        at_s = round(time.monotonic() - self._start_s, 2)
        died = False
        if found:
            time.sleep(strike.linger_s)
            died = end(found[0].pid)
        if died and strike.target == "driver":
            self._orphans = frozenset(seen.pid for seen in self.watch.all())
        for seen in trapped.values():
            seen.trap(None)
        if not found:
            return Kill(strike.target, strike.phase, "", 0, died=False, at_s=at_s)
        return Kill(strike.target, strike.phase, found[0].phase, found[0].pid, died, at_s)

    def _kill_broker(self, strike: Strike) -> Kill:
        pid = self.broker.pid or 0
        at_s = round(time.monotonic() - self._start_s, 2)
        alive = runs(pid)
        self.broker.kill()
        died = alive and not runs(pid)
        self._rest(strike.linger_s)
        self.broker.start()
        return Kill("broker", "up", "up", pid, died, at_s)

    def _rest(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(0.05, left_s))

    def _wait(self, condition: Callable[[], bool]) -> bool:
        deadline, tended = time.monotonic() + self.patience_s, 0.0
        while time.monotonic() < deadline:
            if condition():
                return True
            if time.monotonic() - tended > 0.05:
                self.tend()
                tended = time.monotonic()
            time.sleep(0.001)
        return False


def end(pid: int) -> bool:
    """Kills a process that need not be a child; whether it was alive before and is gone after.

    The descriptor names the process itself, so a number that is given out again hits nobody else.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        if ended.poll(0):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return bool(ended.poll(10_000))
    finally:
        os.close(descriptor)
