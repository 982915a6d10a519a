"""The features that the peers work on: scaled columns or principal components, fitted on the first rounds seen."""

from dataclasses import dataclass

import numpy as np

from deploy.bench.rounds import Features, Floats, Seen

FIT_ROUNDS = 1_024
_CLIP = 4.0


@dataclass(frozen=True, slots=True)
class Side:
    """An affine map of one side's columns: standard scores, clipped, then turned onto the leading components.

    Attributes:
        center_C: What is taken off each column: its mean.
        scale_C: What each column is divided by: its standard deviation, or 1 where it is constant.
        turn_CA: The components, scaled so that each has variance 1 on the rows of the fit; None keeps the columns.
    """

    center_C: Floats
    scale_C: Floats
    turn_CA: Floats | None

    @classmethod
    def fit(cls, rows_RC: Features, rank: int | None) -> "Side":
        """Fits on rows; `rank` bounds the components, and None keeps the columns as they are.

        >>> side = Side.fit(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32), None)
        >>> side(np.array([[4.0, 5.0]], np.float32)).tolist()
        [[3.0, 0.0]]
        """
        scale_C = rows_RC.std(axis=0, dtype=np.float64)
        scale_C[scale_C < 1e-9] = 1.0
        scaled = cls(rows_RC.mean(axis=0, dtype=np.float64), scale_C, None)
        if rank is None:
            return scaled
        score_RC = scaled(rows_RC)
        value_C, vector_CC = np.linalg.eigh(score_RC.T @ score_RC / len(rows_RC))
        value_A, turn_CA = value_C[::-1][:rank], vector_CC[:, ::-1][:, :rank]
        return cls(scaled.center_C, scaled.scale_C, turn_CA / np.sqrt(np.maximum(value_A, 1e-9)))

    def __call__(self, rows_RC: Features) -> Floats:
        """What becomes of rows: R rows of A components, or of C columns."""
        score_RC = np.clip((rows_RC - self.center_C) / self.scale_C, -_CLIP, _CLIP)
        return score_RC if self.turn_CA is None else np.clip(score_RC @ self.turn_CA, -_CLIP, _CLIP)


class Views:
    """Context and candidates as a peer sees them: each side by its own map, and the cosine where both are texts.

    Both maps are fitted on the first batch, and once more when `FIT_ROUNDS` rounds were seen.

    Args:
        rank: The most components of a side; None keeps the columns, scaled.
        text: Leading columns of both sides that share one embedding space; 0 where there are none.

    Attributes:
        settled: Whether the maps stay as they are.
    """

    def __init__(self, rank: int | None, text: int) -> None:
        self._rank, self._text = rank, text
        self._context_BC: list[Features] = []
        self._candidate_RD: list[Features] = []
        self._seen = 0
        self.settled = False

    def see(self, seen: Seen) -> bool:
        """Takes in a batch; True where the maps changed, so that what was learned on the old ones must be redone."""
        if self.settled:
            return False
        self._context_BC.append(seen.context_BC)
        self._candidate_RD.append(seen.candidate_BKD.reshape(-1, seen.candidate_BKD.shape[-1]))
        before, self._seen = self._seen, self._seen + len(seen.context_BC)
        self.settled = self._seen >= FIT_ROUNDS
        if before and not self.settled:
            return False
        self._fit()
        return True

    def _fit(self) -> None:
        context_RC, candidate_RD = np.concatenate(self._context_BC), np.concatenate(self._candidate_RD)
        rank = self._rank
        self._of_context, self._of_candidate = Side.fit(context_RC, rank), Side.fit(candidate_RD, rank)
        if self._text:
            count = len(candidate_RD) // len(context_RC)
            cosine_R = _cosine(context_RC, candidate_RD.reshape(len(context_RC), count, -1), self._text).ravel()
            self._cosine_mean, self._cosine_scale = float(cosine_R.mean()), max(float(cosine_R.std()), 1e-9)
        if self.settled:
            self._context_BC, self._candidate_RD = [], []

    def context(self, context_BC: Features) -> Floats:
        """B contexts as B × A features."""
        return self._of_context(context_BC)

    def candidates(self, context_BC: Features, candidate_BKD: Features) -> Floats:
        """B × K candidates as B × K × A features; with texts the last is their scaled cosine with the context."""
        count, slate, columns = candidate_BKD.shape
        view_BKA = self._of_candidate(candidate_BKD.reshape(-1, columns)).reshape(count, slate, -1)
        if not self._text:
            return view_BKA
        cosine_BK = (_cosine(context_BC, candidate_BKD, self._text) - self._cosine_mean) / self._cosine_scale
        return np.concatenate([view_BKA, cosine_BK[..., None]], axis=-1)

    def crossed(self, context_BC: Features, candidate_BKD: Features) -> Floats:
        """B × K × J products of [1, context] and [1, candidate]."""
        view_BI = _with_one(self.context(context_BC))
        view_BKJ = _with_one(self.candidates(context_BC, candidate_BKD))
        product_BKIJ = view_BI[:, None, :, None] * view_BKJ[:, :, None, :]
        return product_BKIJ.reshape(*view_BKJ.shape[:2], -1)


def _with_one(rows: Floats) -> Floats:
    return np.concatenate([np.ones((*rows.shape[:-1], 1)), rows], axis=-1)


def _cosine(context_BC: Features, candidate_BKD: Features, text: int) -> Floats:
    left_BE, right_BKE = context_BC[:, :text], candidate_BKD[..., :text]
    product_BK = np.einsum("be,bke->bk", left_BE, right_BKE, dtype=np.float64)
    length_BK = np.linalg.norm(left_BE, axis=-1)[:, None] * np.linalg.norm(right_BKE, axis=-1)
    return np.asarray(product_BK / np.maximum(length_BK, 1e-9))
