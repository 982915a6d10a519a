"""One Bayesian logistic expert on crossed features with an effect for every item, learned in closed form.

The features of a candidate are phi = [a x b, s]: context side a_I (leading 1) times item side b_J (leading 1), then
similarities and further parts of the item s_S; d = I * J + S. Its logit is phi . theta + u, with u the effect of its
item beyond its features. The posterior over theta and all effects is one Gaussian. Its precision is an arrowhead: a
block of theta, a diagonal of the effects, and for each item its coupling C with theta. Held are the marginal precision
and natural mean of theta, and for each touched item what its arrow needs; so neither a decision nor an update costs
more where there are more items.

What is settled moves in `learn` alone. `provide` adds provisional evidence to what `score` reads; the next `provide`,
`settle` or `learn` takes it away again.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from agent.crossed_rows import CrossedRows, Doubles, Places, Sums
from agent.expert_prior import Sides, prior_precision
from agent.expert_reading import Reading
from agent.item_effects import Arrows, Effect, ItemEffects, Told
from agent.levels import At, Levels, SharedLevels
from agent.regressors import Regressors
from agent.row_sums import Adding, WeightedRows, added_here
from agent.settings import ExpertSettings
from agent.targets import Targets, linearised
from envs.protocols import Floats

_LIGHT = 16.0  # rows that stand for more move far: they take double precision from the start, and more steps
_STEPS, _HEAVY_STEPS = 2, 5
_FARTHEST = 1.0  # that a step moves the logits at which rows are linearised: Newton's method leaps where p is small


class BayesianLogistic(nn.Module):
    """p(click) = sigmoid(phi . theta + u_item), with a Gaussian posterior.

    One scalar prior a group keeps d weights from promising more than the group can deliver.

    Args:
        settings: prior standard deviations, memory and bounds.
        context_width: I.
        item_width: J.
        similarities: S, the last `further` of them further components of the item.
        further: F.

    References:
        Laplace approximation of Bayesian logistic regression: Bishop (2006), Pattern recognition and machine
        learning, section 4.5; two Newton steps a batch. Marginal of a block Gaussian: the Schur complement.

    Attributes:
        adding: adds up what `learn` takes in.
        deviates: whether anybody asks for deviations; where not, the covariance is not worked out.
    """

    precision: Tensor
    eta: Tensor
    mean: Tensor
    covariance: Tensor
    prior_precision: Tensor
    prior_eta: Tensor
    clock: Tensor

    def __init__(
        self, settings: ExpertSettings, context_width: int, item_width: int, similarities: int, further: int = 0
    ) -> None:
        super().__init__()
        self._settings = settings
        self._I, self._J, self._F = context_width, item_width, further
        self._provisional = False
        self._settled: tuple[Tensor, Tensor] | None = None
        self.adding: Adding = added_here
        self.deviates = True
        self.width = d = context_width * item_width + similarities
        for name in ("prior_precision", "prior_eta", "eta"):
            self.register_buffer(name, torch.zeros(d, dtype=torch.float64))
        self.register_buffer("precision", torch.zeros(d, d, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("covariance", torch.zeros(d, d))
        self.register_buffer("clock", torch.zeros((), dtype=torch.float64))
        self._reading = Reading(self.mean, self.covariance, context_width, item_width)
        self.items = ItemEffects(settings, context_width, item_width, similarities)
        self.restart(Sides(torch.ones(context_width), torch.ones(item_width)), base_rate=0.05)

    def restart(self, sides: Sides, base_rate: float) -> None:
        """Goes back to the prior: no evidence, the intercept at the base rate's logit.

        Args:
            sides: the features in use; a group's prior variance is shared out among them.
            base_rate: mean reward, in (0, 1).
        """
        crossed = self._I * self._J
        cosines = slice(crossed, self.width - self._F)
        self.prior_precision.copy_(prior_precision(self._settings, sides, self.width - crossed, self._F))
        self.prior_eta.zero_()
        self.prior_eta[0] = self.prior_precision[0] * torch.logit(torch.tensor(base_rate, dtype=torch.float64))
        self.prior_eta[cosines] = self.prior_precision[cosines] * self._settings.mean_similarity
        self.precision.copy_(torch.diag(self.prior_precision))
        self.eta.copy_(self.prior_eta)
        self.clock.zero_()
        self.items.clear()
        self._settle()

    def score(self, read: Regressors) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation of the logit of each candidate, [N] each."""
        mean_N, variance_N = self.believed(read)
        return torch.from_numpy(mean_N), torch.from_numpy(np.sqrt(variance_N, out=variance_N))

    def believed(self, read: Regressors) -> tuple[Floats, Floats]:
        """Posterior mean and variance of the logit of each candidate, [N] each."""
        return self._reading.score(read, self._effect(read.item_N))

    def logit(self, read: Regressors) -> Tensor:
        """Posterior mean of the logit of each candidate, [N], without its deviation."""
        return torch.from_numpy(self._reading.logit(read, self._effect(read.item_N)))

    def sample(self, read: Regressors, count: int, seed: int) -> Tensor:
        """Joint draws [M, N] of the candidates' logits from the posterior.

        Args:
            read: of N candidates; each is taken for an item of its own.
            count: M.
            seed: of the draws; the same seed and posterior give the same.
        """
        random = torch.Generator().manual_seed(seed)
        effect = self._effect(read.item_N)
        apart_Nd = torch.from_numpy(read.features() - effect.slope_Nd())
        factor_dd = torch.linalg.cholesky(self.covariance.double()).float()
        shared_Md = torch.randn(count, self.width, generator=random) @ factor_dd.T
        own_MN = torch.randn(count, len(apart_Nd), generator=random) * torch.from_numpy(effect.variance_N).sqrt()
        logit_N = apart_Nd @ self.mean + torch.from_numpy(effect.own_N)
        drawn_MN: Tensor = logit_N + shared_Md @ apart_Nd.T + own_MN
        return drawn_MN

    def learn(self, read: Regressors, targets: Targets, shared: SharedLevels | None = None) -> Levels | None:
        """Takes in R resolved rows: forgets a little towards the prior, then two Newton steps.

        Args:
            read: the rows.
            targets: what came of them.
            shared: the levels of their contexts, where they have some.

        Returns:
            What the levels learned.
        """
        self.settle()
        self.forget(0.5 ** (len(read.item_N) / self._settings.memory_rows))
        evidence = self._step(read, targets, _STEPS if _light(targets) else _HEAVY_STEPS, shared)
        self.precision.copy_(evidence.precision)
        self.eta.copy_(evidence.eta)
        self.items.commit(evidence.arrows, self.clock)
        self._settle()
        return evidence.levels

    def forget(self, keep: float) -> None:
        """Multiplies all evidence by `keep`: as if log2(1 / keep) half-lives of rows had passed."""
        self.precision.mul_(keep).diagonal().add_((1.0 - keep) * self.prior_precision)
        self.eta.mul_(keep).add_((1.0 - keep) * self.prior_eta)
        self.moved()
        self.clock.add_(self._settings.memory_rows * -torch.log2(torch.tensor(keep, dtype=torch.float64)))

    def provide(self, read: Regressors, targets: Targets, shared: SharedLevels | None = None) -> None:
        """Lets `score` read the posterior as if weighted rows had been learned too; what is settled stays as it is."""
        self.settle()
        evidence = self._step(read, targets, 1, shared)
        self.items.overlay(evidence.arrows, self.clock)
        self._settled = self.mean.clone(), self.covariance.clone()
        self._read(evidence.precision, evidence.eta)
        self._provisional = True

    def settle(self) -> None:
        """Lets `score` read the settled posterior alone."""
        if not self._provisional:
            return
        self.items.uncover()
        if self._settled is None:
            self._settle()
            return
        for here, there in zip((self.mean, self.covariance), self._settled, strict=True):
            here.copy_(there)
        self.moved()
        self._provisional = False

    def _step(self, read: Regressors, targets: Targets, steps: int, shared: SharedLevels | None) -> "_Evidence":
        """The marginal of theta and the arrows of the rows' items with the rows' evidence added.

        Args:
            read: R rows.
            targets: of the rows.
            steps: 1 linearises the rows where the posterior stands, in single precision, which is enough for what is
                gone at the next update and for a place to linearise at; more do so again where that leads, in the
                end in double precision.
            shared: the levels of the rows' contexts; they take first what the rows have in common.
        """
        rows, theta_d = CrossedRows.of(read), self.mean.double().numpy()
        arrows, returned = self.items.arrows(rows, read.item_N, theta_d, self.clock)
        light = _light(targets)
        farthest = np.inf if light else _FARTHEST
        at_d, effect_R, known_R, levels = theta_d, arrows.mean_R(theta_d), targets.offset_R.numpy(), None
        before_R = there_R = rows.times(at_d) + effect_R + known_R
        for step in range(steps):
            other_R = before_R = np.clip(there_R, before_R - farthest, before_R + farthest)
            if shared is not None:
                gained_R = effect_R - arrows.mean_R(at_d)
                at = At(*map(torch.from_numpy, (other_R, other_R - there_R, gained_R)))
                levels = shared.found(at, targets.reward_R, targets.weight_R, arrows.of_rows())
                targets = targets._replace(offset_R=torch.from_numpy(known_R) + levels.mean_R)
            logit_R = other_R if levels is None else other_R + levels.at_R.numpy()
            told = _told(logit_R, targets)
            own_R = told.pull_R - told.curvature_R * arrows.held_R(theta_d)
            last = step + 1 == steps and steps > 1
            adding, exact = self.adding if last else added_here, last or not light
            sums_of_rows = adding(WeightedRows(rows if exact else rows.single, told.curvature_R, own_R))
            added = arrows.added(rows, told, theta_d)
            sums = returned.plus(sums_of_rows()).less(added.contribution(exact=exact))
            found = self._found(sums, added, levels)
            if levels is not None:
                found = found.without(levels.taken(_Apart(rows, added).of, torch.from_numpy(at_d)))
            if step + 1 < steps:
                at_d = _solve(found.precision, found.eta)
                effect_R = added.mean_R(at_d)
                there_R = rows.times(at_d) + effect_R + known_R
        return self._with_loose(found, arrows, rows, targets) if arrows.loose_M.any() else found

    def _found(self, sums: Sums, arrows: Arrows, levels: Levels | None) -> "_Evidence":
        """What is held with sums over rows and items added."""
        precision = torch.from_numpy(sums.precision_dd(self._I, self._J)).add_(self.precision)
        return _Evidence(precision, torch.from_numpy(sums.eta_d) + self.eta, arrows, levels)

    def _with_loose(self, found: "_Evidence", arrows: Arrows, rows: CrossedRows, targets: Targets) -> "_Evidence":
        """The effects that were held while theta was learned take in what theta leaves unexplained."""
        theta_d = _solve(found.precision, found.eta)
        logit_R = rows.times(theta_d) + arrows.mean_R(theta_d) + targets.offset_R.numpy()
        after = arrows.added(rows, _told(logit_R, targets), theta_d)
        told_4M = found.arrows.told_4M.copy()
        told_4M[:2] = np.where(arrows.loose_M, after.told_4M[:2], told_4M[:2])
        return found._replace(arrows=replace(found.arrows, told_4M=told_4M))

    def reread(self) -> None:
        """Lets `score` read what `forget` left."""
        self._settle()

    def moved(self) -> None:
        """Says that weights came from elsewhere: what was worked out from those before is of no use."""
        self._reading.moved()

    def _effect(self, item_N: Places) -> Effect:
        return self.items.effect(item_N, self.clock)

    def _settle(self) -> None:
        self._read(self.precision, self.eta)
        self._provisional = False

    def _read(self, precision: Tensor, eta: Tensor) -> None:
        """Recomputes what deciding reads: mean and covariance of theta."""
        factor = torch.linalg.cholesky(precision)
        self.mean.copy_(torch.cholesky_solve(eta[:, None], factor)[:, 0])
        if self.deviates:
            self.covariance.copy_(torch.cholesky_inverse(factor.float()))
        self.moved()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - torch's signature
        super()._load_from_state_dict(*args, **kwargs)
        self._settled = None
        self.moved()


class _Apart(NamedTuple):
    """Features of rows, less what marginalising the items took of them."""

    rows: CrossedRows
    arrows: Arrows

    def of(self, rows_K: Tensor) -> Tensor:
        """Those of some rows, [K, d]."""
        places = rows_K.numpy()
        return torch.from_numpy(self.rows.features_Rd(places) - self.arrows.slope_Rd(places))


class _Evidence(NamedTuple):
    """Marginal precision and natural mean of theta, and the arrows and levels that go with them."""

    precision: Tensor
    eta: Tensor
    arrows: Arrows
    levels: Levels | None

    def without(self, taken: tuple[Tensor, Tensor] | None) -> "_Evidence":
        """The same without what marginalising the levels takes."""
        return self if taken is None else self._replace(precision=self.precision - taken[0], eta=self.eta - taken[1])


def _light(targets: Targets) -> bool:
    return bool((targets.weight_R <= _LIGHT).all())


def _told(logit_R: Doubles, targets: Targets) -> Told:
    curvature_R, pull_R = linearised(torch.from_numpy(logit_R), targets)
    return Told(curvature_R.numpy(), pull_R.numpy(), targets.reward_R.numpy())


def _solve(precision: Tensor, eta: Tensor) -> Doubles:
    solved_d: Doubles = torch.cholesky_solve(eta[:, None], torch.linalg.cholesky(precision))[:, 0].numpy()
    return solved_d
