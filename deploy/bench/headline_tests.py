"""The headline tests of the Upworthy archive as arrays: arms with their counts, slates of arms, folds of tests.

A slate is what is chosen from: the arms of a test that share an image and differ in their headline (`headlines`), or
all arms of a test (`tests`), many of which differ in the image alone, of which nothing is read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.bench.errors import BenchError
from deploy.bench.rounds import Features, Floats, Ints
from deploy.bench.world_reading import Vectors
from envs.keys import keys_of
from envs.upworthy_file import HeadlineTest, read_tests

FORMS = ("headlines", "tests")


@dataclass(frozen=True)
class Headlines:
    """A arms of T tests, oldest test first.

    Attributes:
        text_AE: embeddings of the headlines.
        manner_AW: how they are written; no columns where that is not read.
        lede_TE: embeddings of the ledes; 0 where the arms of a test do not share one.
        test_A: test of each arm.
        item_A: key of each arm.
        shown_A: impressions counted.
        clicks_A: clicks counted.
        part_T: tests that share a headline or an image, whatever the way, are of one part.
        slates: the arms of each slate.
    """

    text_AE: Features
    manner_AW: Features
    lede_TE: Features
    test_A: Ints
    item_A: Ints
    shown_A: Ints
    clicks_A: Ints
    part_T: Ints
    slates: tuple[Ints, ...]

    @property
    def rate_A(self) -> Floats:
        """Click rate of each arm, as counted."""
        return self.clicks_A / self.shown_A

    def folds(self, count: int, seed: int = 0) -> Ints:
        """A fold [T] for each test: parts stay together, folds are as large as each other as can be."""
        parts, size_P = np.unique(self.part_T, return_counts=True)
        mixed_P = np.random.default_rng([seed, 3]).permutation(len(parts))
        order_P = mixed_P[np.argsort(-size_P[mixed_P], kind="stable")]
        fold_P, load = np.zeros(len(parts), np.int64), np.zeros(count)
        for part in order_P.tolist():
            fold_P[part] = load.argmin()
            load[fold_P[part]] += size_P[part]
        return fold_P[np.searchsorted(parts, self.part_T)]


def read_headlines(path: Path, vectors: Vectors, form: str = "headlines") -> Headlines:
    """Reads the archive and encodes its texts.

    Args:
        path: the archive's file, or its folder.
        vectors: of the texts.
        form: `headlines` or `tests`.

    Raises:
        BenchError: there is no such form.
        WorldError: the file is not as it must be.
    """
    if form not in FORMS:
        msg = f"Slates must be one of {', '.join(FORMS)}; got {form!r}"
        raise BenchError(msg)
    tests = read_tests(path)
    arms = [arm for test in tests for arm in test.arms]
    has_T = np.array([bool(test.lede) for test in tests])
    lede_TE = vectors.of([test.lede or "" for test in tests])[:, : vectors.dim] * has_T[:, None]
    text_AX = vectors.of([arm.headline for arm in arms])
    return Headlines(
        text_AE=text_AX[:, : vectors.dim],
        manner_AW=text_AX[:, vectors.dim :],
        lede_TE=lede_TE.astype(np.float32),
        test_A=np.repeat(np.arange(len(tests)), [len(test.arms) for test in tests]),
        item_A=keys_of([arm.item_id for arm in arms]),
        shown_A=np.array([arm.impressions for arm in arms], dtype=np.int64),
        clicks_A=np.array([arm.clicks for arm in arms], dtype=np.int64),
        part_T=parts_of(tests),
        slates=_slates(tests, form),
    )


def parts_of(tests: list[HeadlineTest]) -> Ints:
    """The part [T] of each test: two are of one if they share a headline or an image, or both share with a third.

    >>> from envs.upworthy_file import Arm
    >>> arm = lambda headline, image: Arm("a", headline, 10, 1, image)
    >>> parts_of([HeadlineTest((arm("x", "1"),), None), HeadlineTest((arm("y", "2"),), None),
    ...           HeadlineTest((arm("y", "1"),), None), HeadlineTest((arm("z", "3"),), None)]).tolist()
    [0, 0, 0, 3]
    """
    above, first = list(range(len(tests))), dict[tuple[str, str], int]()

    def root(test: int) -> int:
        while above[test] != test:
            above[test] = test = above[above[test]]
        return test

    for number, test in enumerate(tests):
        for arm in test.arms:
            for kind, value in (("headline", arm.headline), ("image", arm.image)):
                if value:
                    low, high = sorted((root(first.setdefault((kind, value), number)), root(number)))
                    above[high] = low
    return np.array([root(number) for number in range(len(tests))], dtype=np.int64)


def _slates(tests: list[HeadlineTest], form: str) -> tuple[Ints, ...]:
    found, start = list[Ints](), 0
    for test in tests:
        groups = dict[str, list[int]]()
        for place, arm in enumerate(test.arms):
            groups.setdefault(arm.image if form == "headlines" else "", []).append(place)
        for places in groups.values():
            if len(places) > 1 and (form == "tests" or len({test.arms[place].headline for place in places}) > 1):
                found.append(start + np.array(places, dtype=np.int64))
        start += len(test.arms)
    return tuple(found)
