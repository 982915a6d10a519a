"""Starts one Kafka node (broker and controller) on free ports, and leaves nothing behind."""

import base64
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.broker.errors import BrokerError
from deploy.broker.jars import fetch_jars, missing
from deploy.broker.security import BrokerSecurity
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import is_answering

# Measured: up in 3.5 s and 200 MB resident. The cleaner's buffer must shrink with the heap.
_JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.apache.logging.log4j.level=WARN")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={data}
num.partitions=4
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.dedupe.buffer.size=4194304
"""
_OPEN_PROPERTIES = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
"""
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 10


class Broker:
    """One node with its data folder. `kill` and `start` again keep ports and data, as a crash and a restart do.

    Attributes:
        bootstrap: the address for clients.
        mutual: with security: the address for clients with certificates of their own; else "".
        log_file: what the node says.
    """

    def __init__(self, folder: Path, library: Path, security: BrokerSecurity | None = None) -> None:
        self._folder, self._classpath = folder, f"{library}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self._security = security
        port, mutual, controller = _free_ports(3)
        self.bootstrap = f"127.0.0.1:{port}"
        self.mutual = f"127.0.0.1:{mutual}" if security else ""
        self.log_file = folder / "broker.log"
        self._properties = folder / "server.properties"
        listeners = (
            security.properties(port, mutual, controller)
            if security
            else _OPEN_PROPERTIES.format(port=port, controller=controller)
        )
        self._properties.touch(mode=0o600)  # holds passwords where there is security
        self._properties.write_text(_PROPERTIES.format(controller=controller, data=folder / "data") + listeners)
        users = security.format_options() if security else ()
        self._run("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._properties), *users)

    @property
    def pid(self) -> int | None:
        """The process id while the node runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the node and waits until it answers requests.

        Raises:
            BrokerError: it ended or did not answer in time; the message holds the end of its log.
        """
        with self.log_file.open("ab") as log:
            command = [*_JAVA, "-cp", self._classpath, "kafka.Kafka", str(self._properties)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)  # noqa: S603
        settings = KafkaSettings(
            bootstrap_servers=self.bootstrap,
            bootstrap_timeout_ms=2_000,
            **(self._security.client(self._security.admin) if self._security else {}),
        )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrokerError(f"broker must stay up; it ended with {self._process.returncode}:\n{self._tail()}")
            # A client that finds no port waits long before it looks again, so look at the port first.
            if _is_open(self.bootstrap) and is_answering(settings):
                return
            time.sleep(0.1)
        self.kill()
        raise BrokerError(f"broker must answer within {_START_TIMEOUT_S} s; it did not:\n{self._tail()}")

    def is_running(self) -> bool:
        """Whether the node's process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the node in order, or by force where that takes too long."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """Ends the node at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT_S)
            self._process = None

    def _run(self, *arguments: str) -> None:
        with self.log_file.open("ab") as log:
            command = [*_JAVA, "-cp", self._classpath, *arguments]
            done = subprocess.run(command, stdout=log, stderr=log, timeout=_START_TIMEOUT_S, check=False)  # noqa: S603
        if done.returncode:
            raise BrokerError(f"broker's storage must be formatted; it failed:\n{self._tail()}")

    def _tail(self) -> str:
        return self.log_file.read_text(errors="replace")[-3000:]


@contextmanager
def start_broker(workdir: Path | None = None, security: BrokerSecurity | None = None) -> Iterator[Broker]:
    """A running broker; at the end it is stopped and its data removed.

    Args:
        workdir: where its data folder is made; the system's temporary folder without.
        security: users and certificates; without, everyone on this machine may do everything.

    Raises:
        BrokerError: Java or Maven is missing, or the broker did not start.
    """
    reason = missing()
    if reason:
        raise BrokerError(reason)
    library = fetch_jars()
    folder = Path(tempfile.mkdtemp(prefix="broker-", dir=workdir))
    broker = None
    try:
        broker = Broker(folder, library, security)
        broker.start()
        yield broker
    finally:
        if broker:
            broker.kill()  # the data goes as well, so there is nothing to shut down in order
        shutil.rmtree(folder, ignore_errors=True)


def _cluster_id() -> str:
    """Kafka's form of a UUID; a leading dash would look like an option to its own tool."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _is_open(address: str) -> bool:
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
