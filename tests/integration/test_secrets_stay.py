"""A run against the secured broker, and then a look for its secrets in all that it printed and left behind."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from support.rights_matrix import settings_of
from support.secret_scan import Leak, scan, scan_text
from support.secured import Secured

from envs.readers import ReaderScene, ReaderSettings
from envs.world import Arrival
from stream.kafka.acls import give_rights
from stream.kafka.rights import rights_of
from stream.kafka.settings import KafkaSettings
from stream.kafka.world import KafkaWorldLog

pytestmark = [pytest.mark.kafka, pytest.mark.ray]

DECISIONS = 200
RUN_S = 240
T0_MS = 1_700_000_000_000
READERS = f"reader-{secrets.token_hex(4)}-"  # how the names of all users here begin


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: Ray's sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="sb"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Ran:
    """What a run printed, where it left things, and whether a secret ever stood in a command line."""

    printed: str
    home: Path
    leaks: list[Leak]


def run(settings: KafkaSettings, home: Path, environment: dict[str, str], looked_for: dict[str, str]) -> Ran:
    """`streambandit run` as a process of its own, with a home and a Ray folder of its own."""
    (home / "agent.toml").write_text(toml(settings, home))
    command = [sys.executable, "-m", "deploy.cli", "run", "--max-decisions", str(DECISIONS), "--idle-exit-s", "3"]
    places = {"HOME": str(home), "RAY_TMPDIR": str(home / "ray"), "RAY_AUTH_MODE": "disabled"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMBANDIT_")}
    (home / "ray").mkdir()
    leaks: list[Leak] = []
    with (home / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [*command, "--config", str(home / "agent.toml")],
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=kept | places | environment,
        )
        deadline = time.monotonic() + RUN_S
        while process.poll() is None and time.monotonic() < deadline:
            leaks += scan_text("a command line", command_lines(), looked_for)
            time.sleep(0.5)
        process.kill()
    text = (home / "printed").read_text()
    assert process.wait() == 0, text
    return Ran(text, home, leaks)


def toml(settings: KafkaSettings, home: Path) -> str:
    kafka = {
        name: value
        for name, value in settings.model_dump(mode="json", exclude={"password", "topics"}).items()
        if value is not None
    }
    lines = [f"run_dir = {json.dumps(str(home / 'runs'))}", "[kafka]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in kafka.items()]
    lines += ["[agent.features]", 'text = "off"', "context_dim = 13", "candidate_dim = 13", "[metrics]", "port = 0"]
    return "\n".join(lines)


def command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    return "\n".join(lines)


def show(secured: Secured) -> None:
    """Impressions of readers who have names that can be looked for; a run may decide some of an earlier test first."""
    name = secrets.token_hex(4)
    scene = ReaderScene(ReaderSettings(features="numeric", candidates_min=3, candidates_max=6), seed=2)
    world = KafkaWorldLog(secured.settings("world"))
    for index in range(DECISIONS + 50):
        arrival = Arrival(index, f"i{name}-{index}", T0_MS + index * 500)
        impression = scene.emit(arrival).impression
        world.append(msgspec.structs.replace(impression, user_id=f"{READERS}{impression.user_id}"))
    world.flush()
    world.close()


def agent(secured: Secured, **changed) -> KafkaSettings:
    settings = settings_of(secured, "agent", group_id=f"g{secrets.token_hex(4)}", **changed)
    give_rights(secured.settings("admin"), "User:agent", rights_of("agent", settings))
    return settings


@pytest.fixture
def mounted(secured) -> Iterator[Path]:
    """The agent's password as a file outside of what is looked at."""
    folder = Path(tempfile.mkdtemp(prefix="mounted"))
    file = folder / "password"
    file.write_text(secured.security.passwords["agent"])
    yield file
    shutil.rmtree(folder)


@pytest.mark.timeout(RUN_S + 120)
def test_a_run_leaves_no_secret_and_under_pseudonyms_no_user_anywhere(secured, home):
    password, key = secured.security.passwords["agent"], secrets.token_hex(16)
    looked_for = {"password": password, "key of users": key, "a user": READERS}
    show(secured)
    environment = {"STREAMBANDIT_KAFKA__PASSWORD": password, "STREAMBANDIT_PRIVACY__USER_KEY": key}
    ran = run(agent(secured), home, environment, looked_for)
    require_whole(home)
    assert ran.leaks == []
    assert scan([home], looked_for) == []


@pytest.mark.timeout(RUN_S + 120)
def test_the_password_may_come_from_a_file_and_without_pseudonyms_users_are_found(secured, home, mounted):
    """The users that are found prove that the look reaches them: in the snapshots, which hold them by their ids."""
    looked_for = {"password": mounted.read_text()}
    show(secured)
    ran = run(agent(secured, password=None, password_file=mounted), home, {}, looked_for)
    require_whole(home)
    assert ran.leaks == []
    found = scan([home], looked_for | {"a user": READERS})
    assert {leak.secret for leak in found} == {"a user"}
    assert all("/checkpoints/" in leak.place for leak in found)


def require_whole(home: Path) -> None:
    """Fails unless the run decided, and left its report, a checkpoint and Ray's logs to be looked at."""
    summary = json.loads((home / "runs" / "latest" / "summary.json").read_text())
    assert summary["decisions"] >= DECISIONS
    left = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    assert any(path.parts[0] == "checkpoints" for path in left)
    assert any(path.parts[0] == "ray" and path.suffix == ".log" for path in left)
