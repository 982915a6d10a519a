"""A deterministic agent over a real broker is killed again and again: it settles what a run without kills settles.

The judge is a fold of the committed outcomes by a fresh process, which has never seen a checkpoint.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.live_agents import topics_of_their_own

from deploy.broker.broker import Broker
from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival
from stream.events import Click
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.kafka.world import KafkaWorldLog

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]
TESTS = Path(__file__).parents[1]
T0_MS, STEP_MS = 1_700_000_000_000, 50
LIFE_S = 180


def preload(settings: KafkaSettings, folder: Path, impressions: int) -> None:
    """Readers who click some of what they are offered, whatever is shown; the last event closes what came before."""
    draws = np.random.default_rng(3)
    scene = ReaderScene(
        ReaderSettings(features="numeric", candidates_min=3, candidates_max=6, slots=2, base=-3.0), seed=3
    )
    clicks = []
    with closing(KafkaWorldLog(settings)) as log:
        for number in range(impressions):
            view = scene.emit(Arrival(number, f"i{number}", T0_MS + number * STEP_MS))
            log.append(view.impression)
            for candidate, rate in zip(view.impression.candidates, view.rates_K, strict=True):
                if draws.random() < rate:
                    ts_ms = view.impression.ts_ms + int(draws.exponential(3_000.0))
                    clicks.append((ts_ms, view.impression, candidate))
        for ts_ms, impression, candidate in sorted(clicks, key=lambda click: click[0]):
            user, item = impression.user_id, candidate.item_id
            log.append(Click(impression_id=impression.impression_id, user_id=user, item_id=item, ts_ms=ts_ms))
        log.flush()
    with closing(KafkaLog(settings)) as log:
        ends = {topic: [log.end(topic, number) for number in range(2)] for topic in ("impressions", "clicks")}
    (folder / "settings.json").write_text(settings.model_dump_json())
    (folder / "ends.json").write_text(json.dumps(ends))


class Agents:
    """Lives of agents in one folder, one after the other, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "support.deterministic_process", str(folder)]
        with (folder / "agents.log").open("ab") as said:
            self._parent = subprocess.Popen(
                command,
                cwd=TESTS,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self._pid: int | None = None

    def __enter__(self) -> "Agents":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
        self._parent.kill()
        self._parent.communicate()

    def begin(self, role: str) -> None:
        (self.folder / "steps").write_text("0")
        self._parent.stdin.write(f"{role}\n")
        self._parent.stdin.flush()
        self._pid = int(self._parent.stdout.readline())

    def kill_after(self, steps: int, more_s: float) -> None:
        """Kills the agent some time after so many steps of its life."""
        deadline = time.monotonic() + LIFE_S
        while int((self.folder / "steps").read_text() or 0) < steps:
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.002)
        time.sleep(more_s)
        os.kill(self._pid, signal.SIGKILL)
        assert self.end() == -signal.SIGKILL, self.said()

    def end(self) -> int:
        """The status with which the agent ended."""
        status = int(self._parent.stdout.readline())
        self._pid = None
        return status

    def settled(self, role: str) -> dict[str, np.ndarray]:
        """What an agent has settled that came to its end."""
        self.begin(role)
        assert self.end() == 0, self.said()
        with np.load(self.folder / f"{role}.npz") as found:
            return dict(found)

    def after_kills(self, role: str, kills: int, steps: tuple[int, int] = (2, 12)) -> dict[str, np.ndarray]:
        """What the last of several lives has settled; all but that end by a kill, after some of their steps."""
        moments = random.Random(1)
        for _ in range(kills):
            self.begin(role)
            self.kill_after(moments.randint(*steps), moments.uniform(0, 0.15))
        return self.settled(role)

    def said(self) -> str:
        return (self.folder / "agents.log").read_text()[-4_000:]


def different(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    """Where they are not the same to the last bit."""
    assert one.keys() == other.keys()
    bits = {name: (array.dtype, array.shape, array.tobytes()) for name, array in other.items()}
    return [name for name, array in one.items() if (array.dtype, array.shape, array.tobytes()) != bits[name]]


def test_settled_state_after_nine_kills_is_that_of_a_run_without(broker: Broker, tmp_path: Path) -> None:
    preload(topics_of_their_own(broker), tmp_path, impressions=3_000)
    with Agents(tmp_path) as agents:
        survivor = agents.after_kills("decide", kills=9)
        judge = agents.settled("fold")
    assert survivor["rows"] > 5_000  # every refresh, and rows that are kept no more
    assert survivor["updates"] > 50
    assert len(survivor["kept.reward_R"]) == 4_096
    assert len(survivor["kept.delay_ms_C"]) == 200
    assert survivor["kept.reward_R"].sum() > 200
    assert different(survivor, judge) == []


def test_an_agent_that_forgets_what_it_missed_is_found_out(broker: Broker, tmp_path: Path) -> None:
    preload(topics_of_their_own(broker), tmp_path, impressions=2_000)
    with Agents(tmp_path) as agents:
        survivor = agents.after_kills("forget", kills=1, steps=(70, 75))  # much has closed by then
        found = different(survivor, agents.settled("fold"))
    assert {"expert.precision", "expert.eta", "kept.reward_R", "learned"} <= set(found)
