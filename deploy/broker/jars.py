"""The broker's jars: fetched once by Maven into `.broker/lib`, also when two processes ask at the same time."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from deploy.broker.errors import BrokerError

HOME = Path(__file__).parents[2] / ".broker"
POM = Path(__file__).with_name("pom.xml")
_FETCH_TIMEOUT_S = 600


def missing() -> str | None:
    """Why no broker can be started here; None where one can."""
    absent = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if not absent:
        return None
    return f"a real broker needs Java 17 and Maven on the PATH; missing: {', '.join(absent)}"


def fetch_jars() -> Path:
    """The folder of the jars; downloads them where they are missing or of another `pom.xml`.

    Raises:
        BrokerError: Maven failed; the message holds what it said.
    """
    HOME.mkdir(exist_ok=True)
    library = HOME / "lib"
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, also by a process that dies
        if not _is_current(library):
            part = HOME / "lib.part"
            for stale in (part, library):
                shutil.rmtree(stale, ignore_errors=True)
            _copy_dependencies(part)
            shutil.copy(POM, part / "pom.xml")
            part.rename(library)
    return library


def _is_current(library: Path) -> bool:
    copy = library / "pom.xml"
    return copy.exists() and copy.read_bytes() == POM.read_bytes()


def _copy_dependencies(target: Path) -> None:
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise BrokerError(f"mvn must fetch the broker's jars within {_FETCH_TIMEOUT_S} s; it did not") from error
    if done.returncode:
        raise BrokerError(f"mvn must fetch the broker's jars; it failed:\n{(done.stdout + done.stderr)[-2000:]}")
