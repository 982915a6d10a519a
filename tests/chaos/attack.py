"""One attack: a broker, a load, a fleet, a killer; then the audit.

A build is broken on purpose where it is not `real`: the audit must catch it, or the attack proves nothing.
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import kafka

from agent.sealed import SealedFolders
from chaos.auditor import Topics, audit, audit_learner
from chaos.fleet import Fleet, wait_until_gone
from chaos.killer import Killer, end, plan
from chaos.load import DIMS, OUT_OF_ORDER_MS, WINDOW_MS, Load
from chaos.marks import Watch, runs
from chaos.writer import Writer
from deploy.broker.broker import Broker
from deploy.settings import Settings
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics

PARTITIONS = 4
_DRAIN_S = 240.0
_STOP_S = 90.0
_EXAMPLES = 5


@dataclass(frozen=True)
class AttackPlan:
    """What is done to whom.

    Attributes:
        name: of the attack in the report.
        seed: of load and kills.
        form: `bare` or `ray`; see `Fleet`.
        build: which log; see `BUILDS`.
        impressions: to write, at least.
        rate_per_s: of impressions.
        kills: how many of each target in each phase.
        runners: deciding processes.
        until_s: seconds after which no further kill is begun.
        backlog: impressions that wait when the agent starts.
        patience_s: within this it must commit after a start or a kill.
    """

    name: str
    seed: int
    form: str
    impressions: int
    rate_per_s: float
    kills: dict[tuple[str, str], int] = field(default_factory=dict)
    build: str = "real"
    runners: int = 2
    until_s: float = 900.0
    backlog: int = 0
    patience_s: float = 120.0


def attack(wish: AttackPlan, broker: Broker, folder: Path, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Carries it out; returns the report of it."""
    started_s = time.monotonic()
    (folder / "marks").mkdir(parents=True)
    settings = settings_of(wish, broker, folder)
    create_topics(settings.kafka)
    names = {role.replace("_", "-"): name for role, name in settings.kafka.topics.model_dump().items()}
    settings_file = folder / "settings.json"
    settings_file.write_text(settings.model_dump_json(exclude_unset=True))
    load = Load(wish.seed, step_ms=1_000 / wish.rate_per_s)
    writer = Writer(broker.bootstrap, names, load, wish.rate_per_s)
    fleet = Fleet(wish.form, settings_file, folder, wish.build, wish.runners)
    watch = Watch(folder / "marks")
    killer = Killer(watch, broker, fleet.tend, wish.patience_s)
    violations: list[str] = []
    try:
        writer.start()
        writer.wait(wish.backlog, 600)
        fleet.tend()
        killer.carry_out(plan(wish.seed, wish.kills), wish.until_s)
        say(f"{wish.name}: {len(killer.kills)} kills; {load.shown:,} impressions so far")
        _tended(fleet, lambda: load.shown >= wish.impressions, wish.impressions / wish.rate_per_s + 300)
        writer.finish()
        violations += _drain(broker, settings.kafka, fleet, writer, names)
        violations += fleet.stop(_STOP_S)
    finally:
        fleet.kill()
        _clean(watch)
    violations += killer.violations
    if unasked := fleet.unasked():
        violations.append(f"processes must not end by themselves; got statuses {unasked}")
    audited = _audited(wish, Topics(broker.bootstrap, names), load, folder)
    return {
        "plan": asdict(wish) | {"kills": {" ".join(place): times for place, times in wish.kills.items()}},
        **audited,
        "violations": violations + audited["violations"],
        **killer.summary(),
        "processes_started": len(watch.all()),
        "written_events": writer.written,
        "resent_chunks": writer.resent,
        **restored(folder),
        "seconds": round(time.monotonic() - started_s, 1),
    }


def _audited(wish: AttackPlan, topics: Topics, load: Load, folder: Path) -> dict[str, Any]:
    findings = audit(topics, load.ledger)
    if wish.form == "ray":
        audit_learner(topics, last_checkpoint(folder), findings)
    (folder / "findings.json").write_text(json.dumps(findings.examples, indent=1))
    return {
        "violations": findings.violations,
        "counts": findings.counts,
        "examples": {name: found[:_EXAMPLES] for name, found in findings.examples.items()},
    }


def settings_of(wish: AttackPlan, broker: Broker, folder: Path) -> Settings:
    """Numeric features, short windows and short deadlines: much closes, and much can break, in little time."""
    prefix = f"{wish.name}-{uuid.uuid4().hex[:6]}"
    roles = ("impressions", "clicks", "recommendations", "outcomes", "dead_letters")
    return Settings(
        seed=wish.seed,
        run_dir=folder / "runs",
        kafka={
            "bootstrap_servers": broker.bootstrap,
            "group_id": f"{prefix}-group",
            "topics": {role: f"{prefix}-{role}" for role in roles},
            "guarantee": "exactly_once" if wish.build == "real" else "low_latency",  # no transactions to break
            "partitions": PARTITIONS,
            "session_timeout_ms": 6_000,
            "commit_timeout_ms": 5_000,
            "transaction_timeout_ms": 6_000,
        },
        core={"attribution": {"window_ms": WINDOW_MS, "out_of_order_ms": OUT_OF_ORDER_MS}},
        agent={"features": {"text": "off", "context_dim": DIMS, "candidate_dim": DIMS}},
        runner={"runners": wish.runners},
        metrics={"port": 0},
        checkpoint={"folder": folder / "checkpoints", "every_s": 2.0},
    )


def last_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The state of the newest whole checkpoint."""
    roots = {path.parent for path in (folder / "checkpoints").rglob("checkpoint-*")}
    newest = [each for root in roots for each in SealedFolders(root, "checkpoint", 9).newest_first()]
    if not newest:
        return None
    state: dict[str, Any] = json.loads(max(newest, key=lambda each: each[0])[1]["state.json"])
    return state


def restored(folder: Path) -> dict[str, Any]:
    """What the processes say of restores; Ray leaves out what several actors say, so partitions may be more."""
    lines = [line for path in folder.glob("process-*.log") for line in path.read_text(errors="replace").splitlines()]
    checkpoints = [line for line in lines if "streambandit.resume" in line and " restored:" in line]
    rebuilt = [line for line in lines if "streambandit.restore" in line and "open decisions rebuilt" in line]
    return {
        "checkpoints_restored": len(checkpoints),
        "partitions_rebuilt": len(rebuilt),
        "restores": checkpoints + rebuilt[-_EXAMPLES:],
    }


def _drain(broker: Broker, settings: KafkaSettings, fleet: Fleet, writer: Writer, names: dict[str, str]) -> list[str]:
    """Waits until all is read, closes all windows, and waits until that is read and published."""
    if not _tended(fleet, lambda: lag(settings, names) == 0, _DRAIN_S):
        return [f"all inputs must be read within {_DRAIN_S:.0f} s; {lag(settings, names)} records wait"]
    writer.close_windows(PARTITIONS)
    ends = [-1, -2]

    def settled() -> bool:
        ends.append(sum(Topics(broker.bootstrap, names).settled_ends("outcomes").values()))
        time.sleep(1.0)
        return lag(settings, names) == 0 and ends[-1] == ends[-2] == ends[-3]

    closed = _tended(fleet, settled, _DRAIN_S)
    return [] if closed else [f"all windows must close within {_DRAIN_S:.0f} s; they did not"]


def lag(settings: KafkaSettings, names: dict[str, str]) -> int:
    """Input records behind which no commit lies yet."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.group_id, enable_auto_commit=False
    )
    try:
        places = [kafka.TopicPartition(names[role], n) for role in ("impressions", "clicks") for n in range(PARTITIONS)]
        ends = consumer.end_offsets(places)
        return sum(end - (consumer.committed(place) or 0) for place, end in ends.items())
    finally:
        consumer.close()


def _tended(fleet: Fleet, condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        fleet.tend()
        if condition():
            return True
        time.sleep(0.2)
    return False


def _clean(watch: Watch) -> None:
    """Ends runners that a killed driver has left; the marks name each of them."""
    pids = [seen.pid for seen in watch.all()]
    for pid in wait_until_gone(pids, 10):
        if runs(pid) and "ray::" in _command(pid):
            end(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
