"""Ray's token authentication is what the environment says, and never what an old token in the home folder says."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

LIMIT_S = 240
ANSWER = "ray.get(ray.remote(num_cpus=0)(lambda: 'an answer').remote(), timeout=30)"
# Starts a cluster, and has another process connect to it under another token.
START = f"""
import os, subprocess, sys, ray
from deploy.cluster import cluster
with cluster(quiet=True):
    print({ANSWER})
    print('mode', os.environ['RAY_AUTH_MODE'])
    address = ray.get_runtime_context().gcs_address
    for other in sys.argv[1:]:
        environment = os.environ | {{'RAY_AUTH_TOKEN_PATH': other}}
        code = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False); print({ANSWER})"
        done = subprocess.run([sys.executable, '-c', code, address], env=environment, capture_output=True, text=True,
                              timeout=60)
        print('connected' if done.returncode == 0 else 'refused', done.stderr.splitlines()[-1:] or '')
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: Ray's sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="sb"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(home: Path, *tokens: Path, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", START, *map(str, tokens)],
        env=kept | {"HOME": str(home), "RAY_TMPDIR": str(home / "ray")} | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.timeout(LIMIT_S + 30)
def test_with_tokens_only_the_same_token_connects(home):
    right, wrong = home / "right", home / "wrong"
    right.write_text(secrets.token_hex(32))
    wrong.write_text(secrets.token_hex(32))
    told = start(home, right, wrong, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(right))
    assert told[:2] == ["an answer", "mode token"]
    assert [line.split()[0] for line in told[2:]] == ["connected", "refused"]  # to the same address, one by one


@pytest.mark.timeout(LIMIT_S + 30)
def test_without_a_word_from_the_environment_an_old_token_does_not_turn_it_on(home):
    old = home / ".ray" / "auth_token"
    old.parent.mkdir()
    old.write_text(secrets.token_hex(32))
    before = old.read_text()
    assert start(home) == ["an answer", "mode disabled"]
    assert old.read_text() == before
