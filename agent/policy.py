"""The policy as one module: projections, similarity and the expert. All its state is in buffers."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.change import Change
from agent.expert import BayesianLogistic
from agent.expert_prior import Sides
from agent.explore import NEEDS, Belief
from agent.explore_level import ExploreLevel
from agent.inputs import Inputs, inputs_of_observation, inputs_of_rows
from agent.item_side import ItemSide
from agent.last_layer import LastLayer
from agent.levels import ContextLevels
from agent.network import Towers
from agent.projection import Projection, Rank
from agent.regressors import Regressors
from agent.settings import AgentSettings, ExploreSettings
from agent.similarity import Similarity
from agent.slate_effects import SlateEffects
from agent.stack import Stack
from agent.targets import Targets
from agent.threads import one_thread
from agent.user_effects import UserEffects
from envs.features import Layout
from envs.observation import USER_SCALARS, Observation
from envs.protocols import Floats
from envs.rows import Rows

_COSINE_LOGIT = 10.0
_APART = 1 << 32  # seeds of the last layer begin behind those of the expert


class Policy(nn.Module):
    """Scores candidates from user, context and item.

    Context side: 1 and the components of [context | user]. Item side: 1 and the components of the item. Beside them
    the similarities: the item's cosines to the context's text and to the user's interest.

    Args:
        settings: of the agent.
        layout: lengths of the feature blocks.
    """

    rows: Tensor
    updates: Tensor
    epoch: Tensor
    open_rows: Tensor

    def __init__(self, settings: AgentSettings, layout: Layout) -> None:
        super().__init__()
        self.settings = settings
        self.layout = layout
        most = settings.expert.text_rank if layout.text else settings.expert.rank
        rank = Rank(settings.expert.min_rank, most, settings.expert.explained)
        self.context_side = Projection((layout.text, layout.context, layout.interest, USER_SCALARS), rank)
        further = settings.expert.text_further if layout.text else 0
        self.item_side = ItemSide(layout, replace(rank, further=further), settings.encoder.manner)
        self.similarity = Similarity(layout)
        similarities = self.similarity.width
        further = self.item_side.further
        for counter in ("rows", "updates", "epoch"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64))
        self.register_buffer("open_rows", torch.zeros((), dtype=torch.float64))  # what open decisions count for
        item_width = 1 + self.item_side.width
        contexts, read = 1 + self.context_side.width, similarities + further
        self.expert = BayesianLogistic(settings.expert, contexts, item_width, read, further)
        self.users = UserEffects(settings.expert, item_width)
        self.levels = ContextLevels(settings.expert)
        recent = settings.expert.model_copy(update={**settings.recent.model_dump(), "mean_similarity": 0.0})
        contexts, items = (1 + min(settings.recent.rank, side.width) for side in (self.context_side, self.item_side))
        self.recent = BayesianLogistic(recent, contexts, items, similarities)
        self.recent.deviates = False
        net = settings.network
        self.network = Towers(net, self.context_side.width, self.item_side.width)
        self.last_layer = LastLayer(net.towers * self.item_side.width, net.sd_last_layer, net.recent_rows)
        proof = 0.0 if settings.explore.strategy == "neural_thompson" else settings.stack.proof
        self.stack = Stack(settings.stack, network=bool(settings.network.steps), proof=proof)
        self.change = Change(settings.change)
        self.slates = SlateEffects(settings.slates)
        self.level = ExploreLevel(settings.explore)

    @property
    def version(self) -> str:
        """`epoch.n`: n counts the updates, the epoch the restores; it travels with the weights that it names."""
        return f"{int(self.epoch)}.{int(self.updates)}"

    @property
    def explore(self) -> ExploreSettings:
        """How to explore."""
        return self.settings.explore

    @one_thread()
    def believe(self, observation: Observation) -> Belief:
        """What the policy believes of the candidates of an observation, as much as its strategy needs."""
        inputs = inputs_of_observation(observation)
        logit_N, sd_N = self.score(inputs)
        return self.belief(inputs, observation.counts_B, logit_N, sd_N)

    def belief(self, inputs: Inputs, counts_B: NDArray[np.int64], logit_N: Tensor, sd_N: Tensor) -> Belief:
        """What was scored, and what else the strategy needs."""
        needs = NEEDS.get(self.explore.strategy, frozenset())
        samples_MN = self.sample(inputs, logit_N).double().numpy() if "samples_MN" in needs else None
        item_rows_N = item_reward_N = None
        if "item_rows_N" in needs:
            item_rows_N, item_reward_N = self.expert.items.seen(inputs.item_N, self.expert.clock)
        return Belief(
            logit_N.numpy().astype(np.float64),
            self.explore.sd_scale * sd_N.numpy().astype(np.float64),
            counts_B,
            int(self.rows) + round(float(self.open_rows)),
            samples_MN=samples_MN,
            item_rows_N=item_rows_N,
            item_reward_N=item_reward_N,
            resemblance=self.slates.resemblance(inputs.candidates_ND[:, : self.layout.interest]),
            level_B=self.level.of_decisions(inputs.user_BU),
        )

    def score(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation of each candidate's logit, [N] each."""
        if self.settings.scorer == "cosine":
            cosines_NS = self.similarity.cosines(inputs, self.item_side, self.item_side.leading(inputs.candidates_ND))
            logit_N = torch.from_numpy(_COSINE_LOGIT * cosines_NS.sum(axis=1))
            return logit_N, torch.zeros_like(logit_N)
        read, expert = self.read(inputs), self.expert
        expert_N, variance_N = expert.believed(read)
        own_N, doubt_N = self.users.effect(inputs.user_B, read.item_NJ, expert.clock, inputs.by_decision)
        logit_MN = self._members(expert_N + own_N, inputs, read, idle=False)
        return torch.from_numpy(self.stack.joint(logit_MN)), torch.from_numpy(np.sqrt(variance_N + doubt_N))

    def _members(self, logit_N: Floats, inputs: Inputs, read: Regressors, *, idle: bool) -> Floats:
        """What the members of the stack say [M, N]: the expert, the recent expert, and the network.

        Args:
            logit_N: what the expert says, with what the users want beyond it.
            inputs: of N candidates.
            read: the same, as the expert reads them.
            idle: whether a network that does not count is asked too; it says 0 otherwise.
        """
        level_B, weight_M = self.levels.mean(inputs.group_B, self.expert.clock), self.stack.weight.numpy()
        logit_MN = np.zeros((len(weight_M), len(logit_N)), logit_N.dtype)
        np.add(logit_N, level_B.take(inputs.segment_N), out=logit_MN[0])
        logit_MN[1] = self.recent.logit(self._leading(read)).numpy()
        if self.settings.network.steps and (idle or weight_M[-1] > 0.0):
            logit_MN[2] = self.network(*_crossing(read)).numpy()
        return logit_MN

    def sample(self, inputs: Inputs, logit_N: Tensor) -> Tensor:
        """Joint draws [M, N] of the logits around those given, the same for the same weights.

        The expert is drawn from its posterior; for `neural_thompson` the network's last layer is too.
        """
        read, count = self.read(inputs), self.explore.samples
        weight_M = self.explore.sd_scale * self.stack.weight.float()
        apart_MN = self.expert.sample(read, count, seed=int(self.updates)) - self.expert.logit(read)
        drawn_MN: Tensor = logit_N + weight_M[0] * apart_MN
        if self.explore.strategy == "neural_thompson" and self.settings.network.steps:
            contribution_NH = self.network.contributions(*_crossing(read))
            apart_MN = self.last_layer.sample(contribution_NH, count, seed=int(self.updates) + _APART)
            drawn_MN = drawn_MN + weight_M[-1] * apart_MN
        return drawn_MN

    def read(self, inputs: Inputs) -> Regressors:
        """What the expert reads of the candidates."""
        context_BI = _with_one(self.context_side.leading(np.concatenate([inputs.context_BC, inputs.user_BU], axis=1)))
        item_NR, further_NF = self.item_side.both(inputs.candidates_ND)
        apart_NS = self.similarity.scaled(self.similarity.cosines(inputs, self.item_side, item_NR))
        if further_NF.shape[1]:
            apart_NS = np.concatenate([apart_NS, further_NF], axis=1)
        context_NI = context_BI.T.take(inputs.segment_N, axis=1).T
        return Regressors(context_NI, _with_one(item_NR), apart_NS, inputs.item_N)

    def _leading(self, read: Regressors) -> Regressors:
        """What the recent expert reads of it."""
        return read.leading(self.settings.recent.rank, self.similarity.width)

    @torch.no_grad()
    def fit(self, rows: Rows, weight_R: NDArray[np.float64] | None = None) -> None:
        """Fits the projections to rows and goes back to the prior, at their base rate.

        Args:
            rows: what was shown, and its rewards.
            weight_R: how much each row counts for the base rate; its own weight where not given.
        """
        inputs = inputs_of_rows(rows)
        self.context_side.fit(np.concatenate([rows.context_RC, rows.user_RU], axis=1))
        self.item_side.fit(rows.candidate_RD)
        item_NR = self.item_side.leading(inputs.candidates_ND)
        self.similarity.fit(self.similarity.cosines(inputs, self.item_side, item_NR))
        context_I = torch.cat([torch.ones(1), self.context_side.active])
        item_J = torch.cat([torch.ones(1), self.item_side.active[: self.item_side.width]])
        counts_R = rows.weight_R.astype(np.float64) if weight_R is None else weight_R
        if (rows.slot_R == 0).any():
            counts_R = np.where(rows.slot_R == 0, counts_R, 0.0)  # later slots are seen less
        base_rate = (float((counts_R * rows.reward_R).sum()) + 0.5) / (float(counts_R.sum()) + 10.0)
        self.expert.restart(Sides(context_I, item_J, self.item_side.further_active), base_rate)
        width = 1 + self.settings.recent.rank
        self.recent.restart(Sides(context_I[:width], item_J[:width]), base_rate=0.5)
        self.users.restart(item_J)
        self.levels.clear()
        self.network.restart(base_rate)
        self.last_layer.restart()
        self.stack.restart()

    @torch.no_grad()
    def learn(self, rows: Rows) -> NDArray[np.float32]:
        """Takes resolved rows in; returns the probability of each reward, seen or not, before it was learned."""
        self.settle()
        inputs = inputs_of_rows(rows)
        read, group_R = self.read(inputs), inputs.group_B
        own_R = torch.from_numpy(self.users.effect(inputs.user_B, read.item_NJ, self.expert.clock)[0])
        said_R = (self.expert.logit(read) + own_R).numpy()
        logit_RM = torch.from_numpy(self._members(said_R, inputs, read, idle=True).T)
        effect_R = self.slates.effect(rows)
        joint_R = self.stack(logit_RM) + effect_R.to(logit_RM.dtype)
        seen = self.slates.seen(rows, joint_R, rows.weight_R)
        weight = float(self.stack.weight[-1]) if self.settings.network.steps else 0.0
        if weight > 0.0:
            contribution_RH = self.network.contributions(*_crossing(read))
            self.last_layer.learn(contribution_RH, torch.sigmoid(joint_R), weight)
        self.stack.learn(logit_RM, seen.reward_R, seen.weight_R, effect_R)
        targets = Targets(seen.reward_R, seen.weight_R, own_R.double() + effect_R)
        shared = self.levels.of_rows(group_R, self.expert.clock)
        levels = self.expert.learn(read, targets, shared)
        if levels is not None:
            self.levels.commit(levels, self.expert.clock)
        self.recent.learn(self._leading(read), targets._replace(offset_R=logit_RM[:, 0].double() + effect_R))
        shared_R = self.expert.logit(read) + torch.from_numpy(self.levels.mean(group_R, self.expert.clock)) + effect_R
        self.users.learn(inputs.user_B, read.item_NJ, targets._replace(offset_R=shared_R), self.expert.clock)
        self.slates.learn(rows, joint_R, seen)
        return seen.predicted_R.numpy()

    @torch.no_grad()
    def forget(self) -> None:
        """Takes most of the evidence for outdated, after a change."""
        self.settle()
        for expert in (self.expert, self.recent):
            expert.forget(self.settings.change.keep)
            expert.reread()

    @torch.no_grad()
    def steps(self, rows: Rows, mask_TR: Tensor, batch: int) -> int:
        """Steps of the network, each on the next `batch` rows, each tower on those that its mask shows.

        Returns:
            How many steps were clipped.
        """
        inputs, clipped = inputs_of_rows(rows), 0
        side_RI = self.context_side.leading(np.concatenate([inputs.context_BC, inputs.user_BU], axis=1))
        told = (side_RI, self.item_side.leading(inputs.candidates_ND), rows.reward_R, rows.weight_R)
        columns = tuple(map(torch.from_numpy, told))
        for some in (slice(start, start + batch) for start in range(0, len(rows), batch)):
            context_RI, item_RJ, reward_R, weight_R = (column[some] for column in columns)
            if rows.slot_R[some].any():
                seen = self.slates.seen(rows[some], self.network(context_RI, item_RJ), rows.weight_R[some])
                reward_R, weight_R = seen.reward_R.float(), seen.weight_R.float()
            clipped += self.network.step(context_RI, item_RJ, reward_R, mask_TR[:, some] * weight_R)
        return clipped

    @torch.no_grad()
    def provide(self, rows: Rows, weight_R: NDArray[np.float64], read: Regressors | None = None) -> None:
        """Lets decisions read rows on top of what is settled, each by its weight, until the next call or `learn`.

        Args:
            rows: R of them.
            weight_R: their weights.
            read: the same rows as `read` gives them, where the caller has it.
        """
        inputs = inputs_of_rows(rows)
        read = self.read(inputs) if read is None else read
        own_R, _ = self.users.effect(inputs.user_B, read.item_NJ, self.expert.clock)
        reward_R, weight_R64 = (torch.tensor(column, dtype=torch.float64) for column in (rows.reward_R, weight_R))
        known_R, shared = torch.from_numpy(own_R).double(), self.levels.of_rows(inputs.group_B, self.expert.clock)
        if rows.slot_R.any():
            known_R = known_R + self.slates.effect(rows)
            level_R = torch.from_numpy(self.levels.mean(inputs.group_B, self.expert.clock))
            logit_R = self.expert.logit(read) + level_R + known_R
            reward_R, weight_R64, _ = self.slates.seen(rows, logit_R, weight_R)
        self.expert.provide(read, Targets(reward_R, weight_R64, known_R), shared)
        self.open_rows.fill_(float(weight_R.sum()))

    def moved(self) -> None:
        """Says that weights came from elsewhere: what was worked out from those before is of no use."""
        for part in (self.context_side, self.item_side, self.expert, self.recent):
            part.moved()

    def settle(self) -> None:
        """Lets decisions read what is settled alone."""
        self.expert.settle()
        self.open_rows.zero_()


def _crossing(read: Regressors) -> tuple[Tensor, Tensor]:
    """Context and item side as the network crosses them, without the leading 1."""
    return torch.from_numpy(read.context_NI[:, 1:]), torch.from_numpy(read.item_NJ[:, 1:])


def _with_one(side_NX: Floats) -> Floats:
    with_one_XN = np.empty((1 + side_NX.shape[1], len(side_NX)), np.float32)
    with_one_XN[0] = 1.0
    with_one_XN[1:] = side_NX.T
    return with_one_XN.T
