"""The policy as one module: projections, similarity and the expert. All its state is in buffers."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.expert import BayesianLogistic, Sides, Weighted
from agent.explore import Belief
from agent.projection import Projection, Rank
from agent.settings import AgentSettings, ExploreSettings
from agent.threads import one_thread
from envs.features import Layout
from envs.observation import USER_SCALARS, Observation
from envs.rows import Rows

_USUAL_COSINE = (0.1, 0.15)  # centre and spread of cosines between sentence embeddings, until rows tell
_COSINE_LOGIT = 10.0
_LARGEST = 4.0  # scaled similarity, at most


class Inputs(NamedTuple):
    """What the policy reads, as tensors: B decisions, N candidates, `segment_N` tells whose candidate each is."""

    context_BC: Tensor
    user_BU: Tensor
    candidates_ND: Tensor
    segment_N: Tensor


class Policy(nn.Module):
    """Scores candidates from user, context and item.

    Context side: 1 and the components of [context | user]. Item side: 1, the components of the item, and its cosine
    to the context's text and to the user's interest, so that similarity is a feature like any other.

    Args:
        settings: of the agent.
        layout: lengths of the feature blocks.
    """

    similarity_center: Tensor
    similarity_scale: Tensor
    rows: Tensor
    updates: Tensor
    epoch: Tensor

    def __init__(self, settings: AgentSettings, layout: Layout) -> None:
        super().__init__()
        self.settings = settings
        self.layout = layout
        rank = Rank(settings.expert.min_rank, settings.expert.rank, settings.expert.explained)
        self.context_side = Projection((layout.text, layout.context, layout.interest, USER_SCALARS), rank)
        self.item_side = Projection((layout.text, layout.candidate), rank)
        similarities = 2 * ((1 if layout.text else 0) + (1 if layout.interest else 0))
        self.register_buffer("similarity_center", torch.full((similarities,), _USUAL_COSINE[0]))
        self.register_buffer("similarity_scale", torch.full((similarities,), _USUAL_COSINE[1]))
        for counter in ("rows", "updates", "epoch"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64))
        item_width = 1 + self.item_side.width + similarities
        self.expert = BayesianLogistic(settings.expert, 1 + self.context_side.width, item_width, similarities)

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
        """What the policy believes of the candidates of an observation."""
        logit_N, sd_N = self.score(inputs_of_observation(observation), observation.counts_B.tolist())
        return Belief(logit_N.double().numpy(), sd_N.double().numpy(), observation.counts_B, int(self.rows))

    @torch.no_grad()
    def score(self, inputs: Inputs, counts: list[int]) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation of each candidate's logit, [N] each."""
        if self.settings.scorer == "cosine":
            logit_N = _COSINE_LOGIT * self.similarities(inputs, self.item_side(inputs.candidates_ND)).sum(-1)
            return logit_N, torch.zeros_like(logit_N)
        context_BI, item_NJ = self.sides(inputs)
        return self.expert.score(context_BI, item_NJ, counts)

    def sides(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The context side [B, I] and the item side [N, J], both with their leading 1."""
        context_BI = self.context_side(torch.cat([inputs.context_BC, inputs.user_BU], dim=1))
        item_NR = self.item_side(inputs.candidates_ND)
        similarity_NS = (self.similarities(inputs, item_NR) - self.similarity_center) / self.similarity_scale
        similarity_NS = similarity_NS.clamp(-_LARGEST, _LARGEST)
        item_NJ = torch.cat([item_NR, similarity_NS], dim=1)
        return _with_one(context_BI), _with_one(item_NJ)

    def similarities(self, inputs: Inputs, item_NR: Tensor) -> Tensor:
        """Cosines [N, S] of each candidate to its context's text and to its user's interest; 0 where one is missing.

        Each once as they are and once through the item's components, where what all items share is gone.
        """
        layout = self.layout
        item_NE = inputs.candidates_ND[:, : layout.interest]
        columns = []
        for asked_BE in self._asked(inputs):
            asked_BR = self.item_side(nn.functional.pad(asked_BE, (0, layout.candidate_total - layout.interest)))
            asked_BR = asked_BR * (asked_BE != 0).any(dim=1, keepdim=True)
            columns.append(_cosine(asked_BE, item_NE, inputs.segment_N))
            columns.append(_cosine(asked_BR, item_NR, inputs.segment_N))
        return torch.stack(columns, dim=1) if columns else item_NE.new_zeros(len(item_NE), 0)

    def _asked(self, inputs: Inputs) -> list[Tensor]:
        """What items are compared with, in the space of interests: the context's text, and the user's interest."""
        text, interest = self.layout.text, self.layout.interest
        asked = [inputs.context_BC[:, :text]] if text else []
        return [*asked, inputs.user_BU[:, :interest]] if interest else asked

    @torch.no_grad()
    def fit(self, rows: Rows) -> None:
        """Fits the projections to rows and goes back to the prior, at their base rate."""
        inputs = inputs_of_rows(rows)
        self.context_side.fit(np.concatenate([rows.context_RC, rows.user_RU], axis=1))
        self.item_side.fit(rows.candidate_RD)
        similarity_RS = self.similarities(inputs, self.item_side(inputs.candidates_ND))
        self.similarity_center.copy_(similarity_RS.median(dim=0).values)
        self.similarity_scale.copy_(similarity_RS.std(dim=0).clamp_min(_USUAL_COSINE[1]))
        one, all_S = torch.ones(1), torch.ones_like(self.similarity_center)
        context_I = torch.cat([one, self.context_side.active])
        item_J = torch.cat([one, self.item_side.active, all_S])
        sides = Sides(context_I, item_J, len(all_S))
        base_rate = (float(rows.reward_R.sum()) + 0.5) / (len(rows) + 10.0)
        self.expert.restart(sides, base_rate)

    @torch.no_grad()
    def learn(self, rows: Rows) -> NDArray[np.float32]:
        """Takes resolved rows in; returns the log loss of each before it was learned."""
        self.expert.settle()
        context_RI, item_RJ = self.sides(inputs_of_rows(rows))
        reward_R = torch.from_numpy(rows.reward_R)
        logit_R = self.expert.logit(context_RI, item_RJ)
        loss_R = nn.functional.binary_cross_entropy_with_logits(logit_R, reward_R, reduction="none")
        self.expert.learn(context_RI, item_RJ, reward_R)
        return loss_R.numpy()

    @torch.no_grad()
    def provide(self, rows: Rows, weight_R: NDArray[np.float64]) -> None:
        """Lets decisions read rows on top of what is settled, each by its weight, until the next call or `learn`."""
        sides = self.sides(inputs_of_rows(rows))
        self.expert.provide(Weighted(*sides, torch.from_numpy(rows.reward_R), torch.from_numpy(weight_R)))


def inputs_of_rows(rows: Rows) -> Inputs:
    """Rows as decisions with one candidate each."""
    return inputs_of_columns({name: torch.from_numpy(column) for name, column in rows.columns().items()})


def inputs_of_columns(columns: Mapping[str, Tensor]) -> Inputs:
    """The columns of rows, as tensors, as decisions with one candidate each."""
    segment_R = torch.arange(len(columns["reward_R"]))
    return Inputs(columns["context_RC"], columns["user_RU"], columns["candidate_RD"], segment_R)


def inputs_of_observation(observation: Observation) -> Inputs:
    """An observation as tensors."""
    segment_N = np.repeat(np.arange(len(observation.counts_B)), observation.counts_B)
    return Inputs(
        torch.from_numpy(observation.context_BC),
        torch.from_numpy(observation.user_BU),
        torch.from_numpy(observation.candidates_ND),
        torch.from_numpy(segment_N),
    )


def _with_one(values: Tensor) -> Tensor:
    return torch.cat([values.new_ones(len(values), 1), values], dim=1)


def _cosine(one_BE: Tensor, other_NE: Tensor, segment_N: Tensor) -> Tensor:
    one_BE = nn.functional.normalize(one_BE, dim=1)
    other_NE = nn.functional.normalize(other_NE, dim=1)
    return (one_BE[segment_N] * other_NE).sum(-1)
