"""A deterministic agent over Kafka as a process of its own, and somebody who folds the same topics without any restart.

`python -m support.deterministic_process FOLDER`, in the folder `tests`: for each line `decide`, `forget` or `fold` on
its input it forks a process that does so, prints the process's id and, once that has ended, its status. So a life does
not begin with the seconds that imports take.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np

from agent.deterministic import DeterministicLoop
from agent.learning import Learning
from agent.outcome_fold import OutcomeFold
from agent.policy import Policy
from agent.restoring import Checkpointing, outcomes_behind
from agent.sealed import SealedFolders
from agent.settings import AgentSettings
from agent.user_snapshots import UserStores
from deploy.clocks import timer_s, wall_clock_ms
from envs.core import Core
from envs.features import Featurizer, Layout
from envs.parts import CoreSettings, Parts
from envs.session import Session
from stream.kafka.log import KafkaLog
from stream.kafka.settings import KafkaSettings
from stream.log import INPUT_TOPICS
from stream.meter import Tally

DIM, PARTITIONS, SEED = 13, 2, 7
AGENT = AgentSettings(
    features={"text": "off", "context_dim": DIM, "candidate_dim": DIM},
    expert={"rank": 6, "refresh_rows": (256, 1_024, 2_048), "buffer_rows": 4_096},
    delay={"max_open": 256, "min_clicks": 20, "kept_clicks": 200},
    update_rows=100,
)
CORE = CoreSettings(attribution={"window_ms": 10_000, "out_of_order_ms": 500}, max_batch=32)


class Forgetful(DeterministicLoop):
    """Broken on purpose: after a restart it takes what was committed meanwhile for learned."""

    def catch_up(self):
        for _ in outcomes_behind(self._parts, self.fold.order):
            pass
        self._caught_up = True


def main(folder: Path) -> None:
    """Forks one process after the other, as told; it holds no client and no thread itself."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 1
            try:
                live(line.strip(), folder)
                status = 0
            except BaseException:  # noqa: BLE001 - nothing of the child may run on in the parent's loop
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        tell(child)
        tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def live(role: str, folder: Path) -> None:
    """Decides and learns until all inputs are processed, or folds what there is; leaves what is settled."""
    log = KafkaLog(KafkaSettings.model_validate_json((folder / "settings.json").read_text()))
    featurizer, policy = Featurizer(AGENT.features, None), Policy(AGENT, Layout(0, DIM, DIM))
    parts = Parts(log, featurizer, UserStores(AGENT.interests), Tally(), wall_clock_ms)
    if role == "fold":
        featurizer.fix(policy.layout)
        found = fold(parts, Learning(policy))
    else:
        session = Session(Core(CORE, parts), close=log.close, timer=timer_s)
        ends = json.loads((folder / "ends.json").read_text())
        found = decide(DeterministicLoop if role == "decide" else Forgetful, session, policy, folder, ends)
    np.savez(folder / f"{role}.npz", **settled(*found))
    log.close()


def decide(kind: type[DeterministicLoop], session: Session, policy: Policy, folder: Path, ends: dict[str, list[int]]):
    """Steps until every input record is processed and all has closed by then; counts the steps of this life in a file.

    While records come, the watermark waits for ends that were asked for after them; a step without any closes the rest.
    """
    folders = SealedFolders(folder / "checkpoints", "checkpoint", keep=3)
    checkpointing = Checkpointing(folders, PARTITIONS, every_updates=3)
    loop = kind(session, policy, SEED, checkpointing=checkpointing)
    log, steps = session.core.parts.log, 0
    while session.core.received or not all(processed(log.progress(n), ends, n) for n in range(PARTITIONS)):
        loop.step()
        steps += bool(session.core.received)
        (folder / "steps").write_text(str(steps))
    return loop.learning, loop.fold


def processed(progress, ends: dict[str, list[int]], number: int) -> bool:
    return progress is not None and all(progress.next.get(t, 0) >= ends[t][number] for t in INPUT_TOPICS)


def fold(parts: Parts, learning: Learning) -> tuple[Learning, OutcomeFold]:
    found = OutcomeFold(learning, parts.featurizer, dict.fromkeys(range(PARTITIONS), 0))
    for behind in outcomes_behind(parts, found.order):
        found.take(*behind)
        while found.update():
            pass
    return learning, found


def settled(learning: Learning, found: OutcomeFold) -> dict[str, np.ndarray]:
    """All that is settled, but for the epoch."""
    learning.provide(None)
    state = {name: tensor.numpy() for name, tensor in learning.policy.state_dict().items() if name != "epoch"}
    learned = {"learned": np.array([str(found.learned)])}
    positions = {"positions": np.array([found.positions[number] for number in range(PARTITIONS)])}
    return state | {f"kept.{name}": array for name, array in learning.get_state().items()} | learned | positions


if __name__ == "__main__":
    main(Path(sys.argv[1]))
