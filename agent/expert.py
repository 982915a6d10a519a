"""One Bayesian logistic expert on crossed features, learned in closed form (online Laplace).

The features of a candidate are a x b: context side a_I (leading 1) times item side b_J (leading 1), d = I * J. Its
posterior is held as precision A and natural mean eta. One scalar prior a group keeps d weights from promising more
than the group can deliver.

A and eta are settled: `learn` alone moves them. `provide` adds provisional evidence to what `score` reads, and to
nothing else; the next `provide`, `settle` or `learn` takes it away again.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agent.settings import ExpertSettings

_LEAST_CURVATURE = 1e-3


@dataclass(frozen=True, slots=True)
class Sides:
    """Which features are in use: booleans of the context side [I] and the item side [J], the leading 1 included.

    The last `similarities` of the item side are cosines, a group of their own.
    """

    context_I: Tensor
    item_J: Tensor
    similarities: int


class Weighted(NamedTuple):
    """R rows as the expert reads them: sides [R, I] and [R, J], rewards, and how much each row counts."""

    context_RI: Tensor
    item_RJ: Tensor
    reward_R: Tensor
    weight_R: Tensor


class BayesianLogistic(nn.Module):
    """p(click) = sigmoid(a W b), W with a Gaussian posterior.

    `score` costs I^2 J^2 a decision and J^2 a candidate: the covariance is contracted with a decision's context once.

    Args:
        settings: prior standard deviations and memory.
        context_width: I.
        item_width: J.
        similarities: how many of the last columns of the item side are cosines.

    References:
        Laplace approximation of Bayesian logistic regression: Bishop (2006), Pattern recognition and machine
        learning, section 4.5; one Newton step a batch.
    """

    precision: Tensor
    eta: Tensor
    mean: Tensor
    pairs: Tensor
    prior_precision: Tensor
    prior_eta: Tensor

    def __init__(self, settings: ExpertSettings, context_width: int, item_width: int, similarities: int) -> None:
        super().__init__()
        self._settings = settings
        self._I, self._J = context_width, item_width
        self._provisional = False
        d = context_width * item_width
        for name in ("prior_precision", "prior_eta", "eta"):
            self.register_buffer(name, torch.zeros(d, dtype=torch.float64))
        self.register_buffer("precision", torch.zeros(d, d, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("pairs", torch.zeros(context_width**2, item_width**2))
        everything = Sides(torch.ones(context_width), torch.ones(item_width), similarities)
        self.restart(everything, base_rate=0.05)

    def restart(self, sides: Sides, base_rate: float) -> None:
        """Goes back to the prior: no evidence, the intercept at the base rate's logit.

        Args:
            sides: the features in use; a group's prior variance is shared out among them.
            base_rate: mean reward, in (0, 1).
        """
        sd, last = self._settings, self._J - sides.similarities
        used_IJ = torch.outer(sides.context_I.double(), sides.item_J.double())
        precision_IJ = torch.empty_like(used_IJ)
        groups = [
            (slice(1, None), slice(1, None), sd.sd_cross),
            (slice(0, 1), slice(1, last), sd.sd_item),
            (slice(0, 1), slice(last, None), sd.sd_similarity),
            (slice(1, None), slice(0, 1), sd.sd_context),
            (slice(0, 1), slice(0, 1), sd.sd_intercept),
        ]
        for rows, columns, deviation in groups:
            precision_IJ[rows, columns] = used_IJ[rows, columns].sum().clamp_min(1.0) / deviation**2
        self.prior_precision.copy_(precision_IJ.flatten())
        self.prior_eta.zero_()
        self.prior_eta[0] = self.prior_precision[0] * torch.logit(torch.tensor(base_rate, dtype=torch.float64))
        self.prior_eta[last : self._J] = self.prior_precision[last : self._J] * sd.mean_similarity
        self.precision.copy_(torch.diag(self.prior_precision))
        self.eta.copy_(self.prior_eta)
        self._solve()

    def score(self, context_BI: Tensor, item_NJ: Tensor, counts: list[int]) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation of the logit of each candidate.

        Args:
            context_BI: context sides of B decisions.
            item_NJ: item sides of their candidates, one decision after the other.
            counts: candidates of each decision.

        Returns:
            logit_N and sd_N.
        """
        weights_BJ = context_BI @ self.mean.view(self._I, self._J)
        outer_BII = (context_BI[:, :, None] * context_BI[:, None, :]).flatten(1)
        covariance_BJJ = (outer_BII @ self.pairs).view(-1, self._J, self._J)
        if len(set(counts)) == 1:
            item_BKJ = item_NJ.view(len(counts), counts[0], self._J)
            logit = (item_BKJ @ weights_BJ[:, :, None]).flatten()
            variance = ((item_BKJ @ covariance_BJJ) * item_BKJ).sum(-1).flatten()
        else:
            parts = torch.split(item_NJ, counts)
            logit = torch.cat([part @ weights_J for part, weights_J in zip(parts, weights_BJ, strict=True)])
            both = zip(parts, covariance_BJJ, strict=True)
            variance = torch.cat([((part @ covariance_JJ) * part).sum(-1) for part, covariance_JJ in both])
        return logit, variance.clamp_min(0.0).sqrt()

    def logit(self, context_RI: Tensor, item_RJ: Tensor) -> Tensor:
        """Posterior mean logit [R] of one candidate a row; settled unless `provide` was called last."""
        return ((context_RI @ self.mean.view(self._I, self._J)) * item_RJ).sum(-1)

    def learn(self, context_RI: Tensor, item_RJ: Tensor, reward_R: Tensor) -> None:
        """Takes in R resolved rows: forgets a little towards the prior, then one Newton step."""
        keep = 0.5 ** (len(reward_R) / self._settings.memory_rows)
        self.precision.mul_(keep).diagonal().add_((1.0 - keep) * self.prior_precision)
        self.eta.mul_(keep).add_((1.0 - keep) * self.prior_eta)
        features_Rd = (context_RI[:, :, None] * item_RJ[:, None, :]).flatten(1).double()
        logit_R = features_Rd @ _solve(self.precision, self.eta)
        trial_precision, trial_eta = _evidence(features_Rd, logit_R, reward_R.double())
        newton_d = _solve(self.precision + trial_precision, self.eta + trial_eta)
        precision, eta = _evidence(features_Rd, features_Rd @ newton_d, reward_R.double())
        self.precision.add_(precision)
        self.eta.add_(eta)
        self._solve()

    def provide(self, rows: Weighted) -> None:
        """Lets `score` read the posterior as if weighted rows had been learned too; what is settled stays as it is."""
        newton_d = _solve(self.precision, self.eta)
        pairs = _halves(rows.context_RI), _halves(rows.item_RJ)
        for _ in range(2):  # linearised where we stand, then where that leads; as `learn` does
            precision, eta = self._provisional_evidence(rows, newton_d, pairs)
            newton_d = _solve(precision, eta)
        self._read(precision, eta)
        self._provisional = True

    def settle(self) -> None:
        """Lets `score` and `logit` read the settled posterior alone."""
        if self._provisional:
            self._solve()

    def _provisional_evidence(
        self, rows: Weighted, at_d: Tensor, pairs: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Precision and natural mean with the rows linearised at the weights `at_d`.

        The precision of rows a x b is a sum of (a a^T) x (b b^T), so one product of the halves of both sides has all
        of it, in a quarter of the work; single precision is enough for what is gone at the next update.
        """
        context_RI, item_RJ = rows.context_RI.double(), rows.item_RJ.double()
        logit_R = ((context_RI @ at_d.view(self._I, self._J)) * item_RJ).sum(-1)
        curvature_R, pull_R = _linearised(logit_R, rows.reward_R.double())
        weighted_R = (rows.weight_R.double() * curvature_R).float()
        halves = ((pairs[0] * weighted_R[:, None]).T @ pairs[1]).double()
        whole = halves[_whole(self._I)][:, _whole(self._J)].view(self._I, self._I, self._J, self._J)
        d = self._I * self._J
        precision = whole.permute(0, 2, 1, 3).reshape(d, d).add_(self.precision)
        eta_IJ = context_RI.T @ (item_RJ * (rows.weight_R.double() * pull_R)[:, None])
        return precision, eta_IJ.flatten().add_(self.eta)

    def _solve(self) -> None:
        self._read(self.precision, self.eta)
        self._provisional = False

    def _read(self, precision: Tensor, eta: Tensor) -> None:
        """Recomputes what deciding reads: the mean, and the covariance ordered for contraction with a x a."""
        factor = torch.linalg.cholesky(precision)
        self.mean.copy_(torch.cholesky_solve(eta[:, None], factor)[:, 0])
        covariance = torch.cholesky_inverse(factor).view(self._I, self._J, self._I, self._J)
        self.pairs.copy_(covariance.permute(0, 2, 1, 3).reshape(self._I**2, self._J**2))


def _evidence(features_Rd: Tensor, logit_R: Tensor, reward_R: Tensor) -> tuple[Tensor, Tensor]:
    """What the rows add to precision and natural mean, linearised at `logit_R`."""
    curvature_R, pull_R = _linearised(logit_R, reward_R)
    return features_Rd.T @ (features_Rd * curvature_R[:, None]), features_Rd.T @ pull_R


def _linearised(logit_R: Tensor, reward_R: Tensor) -> tuple[Tensor, Tensor]:
    p_R = torch.sigmoid(logit_R)
    curvature_R = (p_R * (1.0 - p_R)).clamp_min(_LEAST_CURVATURE)
    return curvature_R, reward_R - p_R + curvature_R * logit_R


def _halves(side_RW: Tensor) -> Tensor:
    """The products of every two columns, each pair once: [R, W (W + 1) / 2]."""
    return torch.cat([side_RW[:, column : column + 1] * side_RW[:, column:] for column in range(side_RW.shape[1])], 1)


def _whole(width: int) -> Tensor:
    """Where among `_halves` each of the W x W products lies, [W * W]."""
    place_WW = torch.zeros(width, width, dtype=torch.int64)
    row, column = torch.triu_indices(width, width)
    place_WW[row, column] = place_WW[column, row] = torch.arange(len(row))
    return place_WW.flatten()


def _solve(precision: Tensor, eta: Tensor) -> Tensor:
    return torch.cholesky_solve(eta[:, None], torch.linalg.cholesky(precision))[:, 0]
