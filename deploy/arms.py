"""What a run is compared with, on the same world and seed: in one thread, by the deterministic schedule."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from agent.deterministic import DeterministicLoop
from agent.policy import Policy
from agent.settings import ExploreSettings
from agent.user_snapshots import UserStores
from deploy.compose import MemorySession, WorldName, settle
from deploy.record import Arm
from deploy.settings import Settings
from envs.features import Featurizer
from envs.protocols import Encoder
from envs.rows import Rows
from envs.session import Share
from envs.tally import WorldTally
from stream.meter import Tally


@dataclass(frozen=True)
class Control:
    """A policy to compare with.

    Attributes:
        name: short.
        label: what a reader calls it.
        note: what sets it apart.
        learns: whether it is updated.
        shuffles: whether the rewards are dealt out anew among the rows before they are learned.
        cosine: whether it ranks by similarity alone.
    """

    name: str
    label: str
    note: str
    learns: bool = False
    shuffles: bool = False
    cosine: bool = False


CONTROLS = (
    Control("frozen", "frozen", "the same policy, never updated"),
    Control("cosine", "cosine", "the item most similar to context and interests, never updated", cosine=True),
    Control("shuffled", "shuffled rewards", "the same learner, its rewards dealt out anew", learns=True, shuffles=True),
)


def run_control(settings: Settings, world: WorldName, control: Control, encoder: Encoder | None, numeric: int) -> Arm:
    """Runs a control over the whole world, in this thread."""
    agent = settings.agent
    if control.cosine:
        greedy = ExploreSettings(strategy="greedy", floor=agent.explore.floor)
        agent = agent.model_copy(update={"scorer": "cosine", "explore": greedy})
    agent, layout = settle(agent, encoder.dim if encoder is not None else 0, numeric)
    share = Share(
        index=0,
        count=1,
        featurizer=Featurizer(agent.features, encoder),
        users=UserStores(agent.interests),
        meter=Tally(),
    )
    session = MemorySession(settings, world)(share)
    relabel = _shuffle(settings.seed) if control.shuffles else None
    DeterministicLoop(session, Policy(agent, layout), settings.seed, relabel).run(learn=control.learns)
    tally = WorldTally.from_dict(session.world()["tally"])
    session.close()
    return Arm(control.name, control.label, tally.values("shown"), control.note)


def _shuffle(seed: int) -> Callable[[Rows], Rows]:
    random = np.random.default_rng(seed)
    return lambda rows: replace(rows, reward_R=random.permutation(rows.reward_R))
