"""The deterministic loop over a memory log with readers in the same process, and crashes at chosen moments.

A crash takes everything of the agent but what it committed to the log and wrote to the disk; log and readers live on.
"""

from pathlib import Path

import msgspec
import numpy as np

from agent.deterministic import DeterministicLoop
from agent.learning import Learning
from agent.policy import Policy
from agent.restoring import Checkpointing, outcomes_behind, restored_fold
from agent.sealed import SealedFolders
from agent.settings import AgentSettings
from agent.user_snapshots import UserStores
from deploy.compose import supply_of
from envs.core import Core
from envs.features import Featurizer, Layout
from envs.parts import CoreSettings, Parts
from envs.readers import ReaderScene, ReaderSettings
from envs.session import Session
from envs.world import World, WorldSettings
from stream.codec import JsonCodec
from stream.events import Outcome, Recommendation
from stream.memory import MemoryLog
from stream.meter import Tally

DIM = ReaderScene(ReaderSettings(features="numeric")).feature_dim
LAYOUT = Layout(text=0, context=DIM, candidate=DIM)
AGENT = AgentSettings(
    features={"text": "off", "context_dim": DIM, "candidate_dim": DIM},
    expert={"rank": 4, "refresh_rows": (48, 160, 400), "buffer_rows": 1_024},
    delay={"max_open": 64, "min_clicks": 8, "kept_clicks": 40},
    update_rows=24,
)
CORE = CoreSettings(attribution={"window_ms": 6_000, "out_of_order_ms": 500}, max_batch=16)
READERS = ReaderSettings(features="numeric", readers=30, candidates_min=3, candidates_max=6, slots=2)
WORLD = WorldSettings(rate_per_s=20.0, click_delay_ms=1_500.0, late_after_ms=6_000, duplicate_click_share=0.05)


class Crash(BaseException):
    """The end of a process, which nothing may catch."""


class Fuse:
    """Burns at chosen ones of the moments that it is told of."""

    def __init__(self, at=()):
        self.at, self.moments, self.burnt = frozenset(at), 0, 0

    def moment(self):
        self.moments += 1
        if self.moments in self.at:
            self.burnt += 1
            raise Crash


class FusedLog(MemoryLog):
    """A memory log whose user may die at each poll, and just before or just after each commit."""

    def __init__(self, fuse, **more):
        super().__init__(**more)
        self.fuse = fuse

    def poll(self, max_records, timeout_ms):
        records = super().poll(max_records, timeout_ms)
        self.fuse.moment()
        return records

    def send(self, unit, progress):
        self.fuse.moment()
        landing = super().send(unit, progress)
        self.fuse.moment()
        return landing


class FusedFolders(SealedFolders):
    """Folders whose writer may die just before or just after each."""

    fuse = Fuse()

    def save(self, number, files):
        self.fuse.moment()
        path = super().save(number, files)
        self.fuse.moment()
        return path


class Life:
    """Everything that outlives an agent: log, readers, disk."""

    def __init__(self, folder: Path, crashes=(), impressions=650, seed=0, log_type=FusedLog, **agent):
        self.seed, self.agent = seed, AGENT.model_copy(update=agent)
        self.fuse = Fuse(crashes)
        self.log = log_type(self.fuse, partitions=2)
        scene = ReaderScene(READERS, seed)
        self.world = World(scene, self.log, WORLD.model_copy(update={"impressions": impressions}), seed)
        self.folders = FusedFolders(folder, "checkpoint", keep=2)
        self.folders.fuse = self.fuse
        self.born = 0

    def parts(self):
        users = UserStores(self.agent.interests)
        featurizer = Featurizer(self.agent.features, None)
        supply = supply_of(self.world)
        return Parts(self.log, featurizer, users, Tally(), lambda: WORLD.start_ms, supply)

    def loop(self, loop_type=DeterministicLoop):
        """A new agent on what the last one left."""
        self.born += 1
        self.log.begin().abort()
        session = Session(Core(CORE, self.parts()), close=lambda: None, timer=lambda: 0.0)
        checkpointing = Checkpointing(self.folders, partitions=2, every_updates=2)
        return loop_type(session, Policy(self.agent, LAYOUT), self.seed, checkpointing=checkpointing)

    def live(self, loop_type=DeterministicLoop):
        """Agents, one after the other, until the readers have gone; returns the last one."""
        while True:
            try:
                loop = self.loop(loop_type)
                loop.run()
            except Crash:
                self.log._open = None  # a unit that died with its process
                continue
            return loop

    def published(self, topic, kind):
        codec = JsonCodec()
        found = []
        for partition in (0, 1):
            records = self.log.read(topic, partition, 0, self.log.end(topic, partition))
            found += [codec.decode(record.value, kind, record.headers) for record in records]
        return found

    def decisions(self):
        """All recommendations, without the version, whose epoch tells of restarts."""
        return [unversioned(each) for each in self.published("recommendations", Recommendation)]

    def outcomes(self):
        """All outcomes, likewise."""
        replace = msgspec.structs.replace
        return [replace(o, recommendation=unversioned(o.recommendation)) for o in self.published("outcomes", Outcome)]

    def folded(self, updates):
        """What somebody else makes of the same topics, from their start, in so many updates: learning and fold."""
        learning = Learning(Policy(self.agent, LAYOUT))
        parts = self.parts()
        fold = restored_fold(learning, parts, None, None)
        for behind in outcomes_behind(parts, fold.order):
            fold.take(*behind)
        fold.take([], dict.fromkeys(fold.order.following, 2**62))  # nothing more will come
        while int(learning.policy.updates) < updates:
            assert fold.update()
        return learning, fold


def unversioned(recommendation):
    return msgspec.structs.replace(recommendation, policy_version="")


def settled(learning, fold):
    """Everything that is settled, to the last bit, but for the epoch."""
    learning.provide(None)
    state = {name: tensor.numpy() for name, tensor in learning.policy.state_dict().items()}
    del state["epoch"]
    state |= {f"learning.{name}": np.asarray(array) for name, array in learning.get_state().items()}
    bits = {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in state.items()}
    return bits | {"positions": dict(fold.positions), "learned": fold.learned}
