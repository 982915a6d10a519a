"""The Ray cluster: a local one for this process, or the one that a job was submitted to."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from agent.encoder import actors
from agent.settings import AgentSettings

_OBJECT_STORE_BYTES = 256 * 1024 * 1024
_STARTS = 3
# Ray starts its workers at niceness 15: on a busy machine decisions would wait behind everything, the learner first.
# It keeps a record of each of the last 100,000 calls, for its dashboard: some 450 MB an hour of them at first.
_SYSTEM = {"worker_niceness": 0, "task_events_report_interval_ms": 0}
_log = logging.getLogger("streambandit.cluster")


@contextmanager
def cluster(*, quiet: bool = False, processes: int | None = None) -> Iterator[None]:
    """Connects to the cluster of `RAY_ADDRESS`, or starts a local one that ends with the block.

    Ray's token authentication is set explicitly (off, unless the environment says otherwise), because a local start
    leaves a token behind that would turn it on for whatever is started next.

    Args:
        quiet: keep what Ray's own processes say out of the terminal, for demonstrations.
        processes: how many actors will be used: so many processes of a local cluster come up at once, and wait for
            them. As many as there are processors where None.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    if quiet:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    options: dict[str, Any] = {"logging_level": "error", "log_to_driver": not quiet, "namespace": "streambandit"}
    if "RAY_ADDRESS" not in os.environ:
        options |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES, "num_gpus": 0}
        options |= {"_system_config": _SYSTEM, "num_cpus": processes}  # no actor of ours asks for a whole processor
    _start(options)
    # It warns at every start that the new API stack is used, which is the only one there is for this algorithm.
    logging.getLogger("ray.rllib.algorithms.algorithm_config").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def _start(options: dict[str, Any]) -> None:
    """Ray gives its own processes 30 s to come up, which a busy machine may need more than once; that is no setting."""
    for left in reversed(range(_STARTS)):
        try:
            ray.init(**options)
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            _log.warning("Ray did not come up in time and is started again: %s", error)
            ray.shutdown()
        else:
            return


def start_encoders(agent: AgentSettings) -> list[Any]:
    """Starts the encoder actors; they end when their handles are dropped. None where no text is read."""
    return [] if agent.features.text == "off" else actors.start_encoders(agent.encoder)
