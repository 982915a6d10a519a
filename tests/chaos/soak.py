"""The soak: a steady load through `streambandit run`, with an outage of the broker in its middle."""

import json
import socket
import subprocess
import sys
import time
import tomllib
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos.attack import PARTITIONS, lag
from chaos.auditor import Topics, audit
from chaos.fleet import ROOT
from chaos.load import CLOSE_MS, DIMS, OUT_OF_ORDER_MS, WINDOW_MS, Load
from chaos.samples import family, gauges, resident_mb
from chaos.soak_report import conclude
from chaos.writer import Writer
from deploy.broker.broker import Broker, start_broker
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics

_EVERY_S = 5.0
_START_S = 240.0
_DRAIN_S = 180.0


@dataclass(frozen=True)
class SoakPlan:
    """How long, how much, and how long without a broker."""

    seed: int
    minutes: float
    rate_per_s: float
    outage_s: float


@dataclass
class Soak:
    """One soak: its parts, and what it has seen.

    Attributes:
        plan: what was asked for.
        broker: to load and to stop.
        folder: for everything that it leaves.
        samples: seconds since the load began, resident MB by process, numbers of the endpoint.
        events: when what was done, in the same seconds.
    """

    plan: SoakPlan
    broker: Broker
    folder: Path
    samples: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prefix = f"soak-{uuid.uuid4().hex[:6]}"
        roles = ("impressions", "clicks", "recommendations", "outcomes", "dead_letters")
        self.kafka = KafkaSettings(
            bootstrap_servers=self.broker.bootstrap,
            group_id=f"{prefix}-group",
            topics={role: f"{prefix}-{role}" for role in roles},
            partitions=PARTITIONS,
        )
        self.names = {role.replace("_", "-"): name for role, name in self.kafka.topics.model_dump().items()}
        self.load = Load(self.plan.seed, step_ms=1_000 / self.plan.rate_per_s)
        self.writer = Writer(self.broker.bootstrap, self.names, self.load, self.plan.rate_per_s)
        self._start_s = time.monotonic()

    def run(self) -> list[str]:
        """All of it; returns what went wrong."""
        create_topics(self.kafka)
        port = _free_port()
        agent = self._agent(port)
        self._address, self._pid = f"http://127.0.0.1:{port}/metrics", agent.pid
        try:
            if not self._until(lambda: bool(gauges(self._address)), _START_S):
                return [f"agent must be up within {_START_S:.0f} s; see {self.folder / 'agent.log'}"]
            self.samples.clear()  # the time runs from the first event
            self._start_s = time.monotonic()
            self.writer.start()
            self._watch(self.plan.minutes * 30)
            self._outage()
            self._watch(self.plan.minutes * 30)
            self.writer.finish()
            problems = self._drain()
            agent.terminate()
            status = agent.wait(120)
            return problems + ([f"agent must end with 0; got {status}"] if status else [])
        finally:
            agent.kill()
            agent.wait(30)

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start_s

    def _agent(self, port: int) -> subprocess.Popen[bytes]:
        config = self.folder / "soak.toml"
        config.write_text(_toml(self.kafka, self.folder, port))
        tomllib.loads(config.read_text())
        with (self.folder / "agent.log").open("wb") as log:
            command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(config)]
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)

    def _watch(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self._sample()
            time.sleep(min(_EVERY_S, max(0.0, end_s - self.now_s)))

    def _outage(self) -> None:
        if not self.plan.outage_s:
            return
        self.events["broker_killed_s"] = self.now_s
        self.broker.kill()
        self._watch(self.plan.outage_s)
        self.broker.start()
        self.events["broker_up_s"] = self.now_s
        # Until the first fetches are answered the agent knows of no lag, so first of all there must be one.
        self._until(lambda: lag(self.kafka, self.names) > 2 * self.plan.rate_per_s, 30, every_s=0.5)
        if self._until(lambda: lag(self.kafka, self.names) <= self.plan.rate_per_s, 600, every_s=1.0):
            self.events["lag_back_s"] = self.now_s

    def _drain(self) -> list[str]:
        if not self._until(lambda: lag(self.kafka, self.names) == 0, _DRAIN_S):
            return [f"all inputs must be read within {_DRAIN_S:.0f} s; {lag(self.kafka, self.names)} wait"]
        self.writer.close_windows(PARTITIONS)
        self._until(lambda: self.samples[-1]["gauges"].get("open_decisions", 1) == 0, CLOSE_MS / 1_000 + 60)
        return []

    def _until(self, condition: Any, timeout_s: float, every_s: float = _EVERY_S) -> bool:
        end_s, sampled_s = self.now_s + timeout_s, -_EVERY_S
        while self.now_s < end_s:
            if self.now_s - sampled_s >= _EVERY_S:
                sampled_s = self.now_s
                self._sample()
            if condition():
                return True
            time.sleep(every_s)
        return False

    def _sample(self) -> None:
        resident: dict[str, float] = {"broker": resident_mb(self.broker.pid) if self.broker.pid else 0.0}
        for pid, role in sorted(family(self._pid).items()):
            key = role if role in ("driver", "ray") else f"{role} {pid}"
            resident[key] = round(resident.get(key, 0.0) + resident_mb(pid), 2)
        seen = {"t_s": round(self.now_s, 2), "resident_mb": resident, "gauges": gauges(self._address)}
        self.samples.append(seen | {"written": self.load.shown})


def soak(plan: SoakPlan, folder: Path) -> int:
    """Runs it, writes `report.json` and `soak.png`; returns the exit code."""
    with start_broker() as broker:
        one = Soak(plan, broker, folder)
        problems = one.run()
        (folder / "samples.json").write_text(json.dumps(one.samples))
        found = audit(Topics(broker.bootstrap, one.names), one.load.ledger)
    report = conclude(one.samples, one.events, plan.rate_per_s)
    report |= {"plan": asdict(plan), "events": one.events, "counts": found.counts, "examples": found.examples}
    report["failures"] = problems + found.violations + report["failures"]
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    from chaos.soak_picture import picture  # noqa: PLC0415 - matplotlib is slow to load

    picture(one.samples, one.events, folder / "soak.png")
    shown = {
        key: report[key] for key in ("growth_mb_per_h", "growth_judged", "largest", "lag_back_after_s", "failures")
    }
    print(json.dumps(shown, indent=1))  # noqa: T201 - what it is for
    return 1 if report["failures"] else 0


def _toml(kafka: KafkaSettings, folder: Path, port: int) -> str:
    topics = "\n".join(f'{role} = "{name}"' for role, name in kafka.topics.model_dump().items())
    return (
        f'run_dir = "{folder}/runs"\n[metrics]\nport = {port}\n[checkpoint]\nfolder = "{folder}/checkpoints"\n'
        f'[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\ngroup_id = "{kafka.group_id}"\n'
        f"[kafka.topics]\n{topics}\n[runner]\nrunners = 2\n"
        f'[agent.features]\ntext = "off"\ncontext_dim = {DIMS}\ncandidate_dim = {DIMS}\n'
        f"[core.attribution]\nwindow_ms = {WINDOW_MS}\nout_of_order_ms = {OUT_OF_ORDER_MS}\n"
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
