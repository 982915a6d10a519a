"""The policy as one module: projections, similarity and the expert. All its state is in buffers."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.expert import BayesianLogistic, Sides
from agent.projection import Projection, Rank
from agent.settings import AgentSettings
from envs.features import Layout
from envs.observation import USER_SCALARS
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

    def __init__(self, settings: AgentSettings, layout: Layout) -> None:
        super().__init__()
        self.settings = settings
        self.layout = layout
        rank = Rank(settings.expert.min_rank, settings.expert.rank, settings.expert.explained)
        self.context_side = Projection((layout.text, layout.context, layout.interest, USER_SCALARS), rank)
        self.item_side = Projection((layout.text, layout.candidate), rank)
        similarities = (1 if layout.text else 0) + (1 if layout.interest else 0)
        self.register_buffer("similarity_center", torch.full((similarities,), _USUAL_COSINE[0]))
        self.register_buffer("similarity_scale", torch.full((similarities,), _USUAL_COSINE[1]))
        self.register_buffer("rows", torch.zeros((), dtype=torch.int64))
        item_width = 1 + self.item_side.width + similarities
        self.expert = BayesianLogistic(settings.expert, 1 + self.context_side.width, item_width)

    @torch.no_grad()
    def score(self, inputs: Inputs, counts: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean and standard deviation of each candidate's logit, [N] each."""
        if self.settings.scorer == "cosine":
            logit = _COSINE_LOGIT * self.similarities(inputs).sum(-1)
            return logit.double().numpy(), np.zeros(len(logit))
        context_BI, item_NJ = self.sides(inputs)
        logit, sd = self.expert.score(context_BI, item_NJ, counts)
        return logit.double().numpy(), sd.double().numpy()

    def sides(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The context side [B, I] and the item side [N, J], both with their leading 1."""
        context_BI = self.context_side(torch.cat([inputs.context_BC, inputs.user_BU], dim=1))
        similarity_NS = (self.similarities(inputs) - self.similarity_center) / self.similarity_scale
        similarity_NS = similarity_NS.clamp(-_LARGEST, _LARGEST)
        item_NJ = torch.cat([self.item_side(inputs.candidates_ND), similarity_NS], dim=1)
        return _with_one(context_BI), _with_one(item_NJ)

    def similarities(self, inputs: Inputs) -> Tensor:
        """Cosines [N, S] of each candidate to its context's text and to its user's interest; 0 where one is missing."""
        layout = self.layout
        columns = []
        if layout.text:
            text_NE = inputs.candidates_ND[:, : layout.text]
            columns.append(_cosine(inputs.context_BC[:, : layout.text], text_NE, inputs.segment_N))
        if layout.interest:
            item_NE = inputs.candidates_ND[:, : layout.interest]
            columns.append(_cosine(inputs.user_BU[:, : layout.interest], item_NE, inputs.segment_N))
        return torch.stack(columns, dim=1) if columns else inputs.candidates_ND.new_zeros(len(inputs.candidates_ND), 0)

    @torch.no_grad()
    def fit(self, rows: Rows) -> None:
        """Fits the projections to rows and goes back to the prior, at their base rate."""
        inputs = inputs_of(rows)
        self.context_side.fit(np.concatenate([rows.context_RC, rows.user_RU], axis=1))
        self.item_side.fit(rows.candidate_RD)
        similarity_RS = self.similarities(inputs)
        self.similarity_center.copy_(similarity_RS.median(dim=0).values)
        self.similarity_scale.copy_(similarity_RS.std(dim=0).clamp_min(_USUAL_COSINE[1]))
        active_S = torch.ones_like(self.similarity_center, dtype=torch.bool)
        one = torch.ones(1, dtype=torch.bool)
        sides = Sides(
            torch.cat([one, self.context_side.active]),
            torch.cat([one, self.item_side.active, active_S]),
        )
        base_rate = (float(rows.reward_R.sum()) + 0.5) / (len(rows) + 10.0)
        self.expert.restart(sides, base_rate)

    @torch.no_grad()
    def learn(self, rows: Rows) -> NDArray[np.float32]:
        """Takes resolved rows in; returns the log loss of each before it was learned."""
        context_RI, item_RJ = self.sides(inputs_of(rows))
        reward_R = torch.from_numpy(rows.reward_R)
        logit_R = self.expert.logit(context_RI, item_RJ)
        loss_R = nn.functional.binary_cross_entropy_with_logits(logit_R, reward_R, reduction="none")
        self.expert.learn(context_RI, item_RJ, reward_R)
        return loss_R.numpy()


def inputs_of(rows: Rows) -> Inputs:
    """Rows as decisions with one candidate each."""
    return Inputs(
        torch.from_numpy(rows.context_RC),
        torch.from_numpy(rows.user_RU),
        torch.from_numpy(rows.candidate_RD),
        torch.arange(len(rows)),
    )


def _with_one(values: Tensor) -> Tensor:
    return torch.cat([values.new_ones(len(values), 1), values], dim=1)


def _cosine(one_BE: Tensor, other_NE: Tensor, segment_N: Tensor) -> Tensor:
    one_BE = nn.functional.normalize(one_BE, dim=1)
    other_NE = nn.functional.normalize(other_NE, dim=1)
    return (one_BE[segment_N] * other_NE).sum(-1)
