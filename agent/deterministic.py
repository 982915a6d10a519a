"""The deterministic schedule: deciding and learning in one thread, updates cut by count.

Here the same seed and log give the same decisions. The live schedule is the RLlib algorithm's.

    checkpointing = Checkpointing(SealedFolders(root, "checkpoint", keep=3), partitions=4)
    DeterministicLoop(session, Policy(settings, layout), run_seed=0, checkpointing=checkpointing).run()

After a kill at any moment the same lines go on: the settled weights become those of a run without kills, bit for bit.
"""

from agent.deciding import DecidingLoop, Ending
from agent.errors import AgentError
from agent.explore import Belief
from agent.learning import Learning
from agent.open_book import OpenBook
from agent.outcome_fold import Relabel
from agent.policy import Policy
from agent.restoring import Checkpointing, closed_up_to, outcomes_behind, restored_fold, save
from agent.settings import ExploreSettings
from envs.core import Closed
from envs.observation import Observation
from envs.session import Session
from stream.errors import StreamError


class DeterministicLoop:
    """Decides and learns for one session, which owns all partitions.

    Settled weights are a fold over the topics of outcomes (see `OutcomeFold`). What decisions read on top, of open
    decisions, is computed anew for each micro-batch from what is open then, so a restart finds it again.

    Args:
        session: the open core, over a log whose order is fixed.
        policy: a new one; learns after every `update_rows` rows of closed outcomes, in their one order.
        run_seed: every draw follows from it.
        relabel: what becomes of rows before they are learned; None learns them as they are. For controls, whose
            decisions read no open rows.
        ending: when to end.
        checkpointing: where checkpoints are kept; the newest is restored. None starts anew and keeps none.

    Raises:
        AgentError: without `checkpointing`, the log does not say yet which partitions there are.
        CheckpointError: the checkpoint is of other settings, of another layout or encoder.
    """

    def __init__(
        self,
        session: Session,
        policy: Policy,
        run_seed: int,
        relabel: Relabel | None = None,
        ending: Ending | None = None,
        *,
        checkpointing: Checkpointing | None = None,
    ) -> None:
        self._parts = session.core.parts
        self._parts.featurizer.fix(policy.layout)  # rows of the log come before any impression
        self._keeping = checkpointing
        self.learning = Learning(policy)
        self.fold = restored_fold(self.learning, self._parts, checkpointing, relabel)
        if not self.fold.positions:
            raise AgentError(
                "deterministic loop must know its partitions; got none from the log, and no `checkpointing`"
            )
        book = OpenBook(session.core, policy.settings.delay, run_seed)
        self._open_counts = relabel is None  # open decisions have their own rewards, not relabelled ones
        self._informed = _Informed(self.learning, book)
        self._deciding = DecidingLoop(session, self._informed, run_seed, ending)
        self._caught_up = False

    @property
    def ended(self) -> bool:
        """Whether no more decisions will come."""
        return self._deciding.ended

    def step(self, *, learn: bool = True) -> None:
        """One micro-batch, and the updates that it makes due.

        Raises:
            StreamError: the batch was not committed, or the log did not answer; the next step goes on from the log.
            SnapshotError: a checkpoint could not be written.
        """
        self._informed.reads = learn and self._open_counts
        if learn and not self._caught_up:
            self.catch_up()
        try:
            closed = self._deciding.advance()
        except StreamError:
            self._caught_up = False  # whether the commit landed, only the log will tell
            raise
        spans = self._deciding.take_spans()
        if learn and any(span.start > self.fold.order.following[span.partition] for span in spans):
            self.catch_up()
        elif learn:
            self._take(closed)

    def run(self, *, learn: bool = True) -> None:
        """Steps until the end."""
        while not self.ended:
            self.step(learn=learn)

    def catch_up(self) -> None:
        """Learns what lies in the log behind everything that was learned.

        Raises:
            LogUnavailableError: the log did not answer in time; a later call goes on.
        """
        for behind in outcomes_behind(self._parts, self.fold.order):
            self.fold.take(*behind)
            self._update()
        self._caught_up = True

    def _take(self, closed: list[Closed]) -> None:
        self.fold.take(closed, closed_up_to(self._parts.log, self._parts.log.assignment()))
        self._update()

    def _update(self) -> None:
        while self.fold.update():
            if self._keeping and int(self.learning.policy.updates) % self._keeping.every_updates == 0:
                save(self.learning, self.fold, self._parts, self._keeping.folders)


class _Informed:
    """A policy whose decisions read the open decisions as well.

    Attributes:
        reads: whether they do; a policy that is not to learn must not.
    """

    def __init__(self, learning: Learning, book: OpenBook) -> None:
        self.reads = True
        self._learning, self._book = learning, book

    @property
    def version(self) -> str:
        """Names the settled weights; what is open on top follows from the log."""
        return self._learning.policy.version

    @property
    def explore(self) -> ExploreSettings:
        return self._learning.policy.explore

    def believe(self, observation: Observation) -> Belief:
        if self.reads and self._learning.policy.settings.delay.open_decisions:
            self._learning.provide(self._book.read())
        return self._learning.policy.believe(observation)
