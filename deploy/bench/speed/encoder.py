"""Texts a second: the served encoder beside `sentence-transformers` with the same weights, and its cache beside it.

Ours is what an encoder actor runs, asked through a cache that knows none of the texts; theirs is
`SentenceTransformer.encode` in fp32. Each has one thread and the same texts in calls of the same size, and they take
turns in one process. What the integers cost is said beside it: cosines to their vectors, and how many of the ten
nearest neighbours stay.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from agent.encoder.cache import CachedEncoder
from agent.encoder.local import open_encoder
from agent.encoder.weights import packaged_model
from agent.settings import EncoderSettings
from deploy.bench.speed.figure import Figure, Goal, figure, paired
from deploy.clocks import timer_s
from envs.corpus import load_corpus
from envs.protocols import Encoder, Floats
from envs.upworthy_file import FILE_NAME, read_tests
from stream.meter import Tally

DATA = Path("../shared/data")
_MOST_TOKENS = 14  # of the titles whose speed is measured: 12.6 in the mean
_BATCH, _NEIGHBOURS = 32, 10
_DECISION_TEXTS, _DECISIONS = 21, 64  # a context and 20 candidates; a micro-batch


def measure(quick: bool, say: Callable[[str], None], data: Path = DATA) -> list[Figure]:
    """Speed in batches and one by one, closeness, and the speed of what is known.

    Args:
        quick: fewer texts and repeats.
        say: is told which texts were read.
        data: public data; without it the texts are those of the packaged corpus.
    """
    texts, repeats = (128, 3) if quick else (640, 7)
    titles, all_titles = _titles(data, say)
    ours, theirs = open_encoder(EncoderSettings()), _Peer()
    some = titles[:texts]
    figures = [
        _speed("encoder-batch-32", ours, theirs, _calls(some, _BATCH), repeats, Goal(2.5)),
        _speed("encoder-batch-1", ours, theirs, _calls(some[: texts // 4], 1), repeats, Goal(4.5)),
    ]
    if not quick:
        figures.append(_speed("encoder-longer-32", ours, theirs, _calls(all_titles[:texts], _BATCH), repeats, None))
    figures += _closeness(ours, theirs, all_titles[: 400 if quick else 2_000])
    return [*figures, _known(ours, titles, repeats)]


class _Peer:
    """`sentence-transformers` with the packaged weights."""

    def __init__(self) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        import torch  # noqa: PLC0415 - seconds to import
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - of the extra `peers`

        torch.set_num_threads(1)
        self._model: Any = SentenceTransformer(packaged_model(), device="cpu")

    def encode(self, texts: list[str]) -> Floats:
        vectors: Floats = self._model.encode(texts, batch_size=_BATCH, show_progress_bar=False)
        return vectors


def _titles(data: Path, say: Callable[[str], None]) -> tuple[list[str], list[str]]:
    """Short titles, and all, in a random order that stays."""
    file = data / "upworthy" / FILE_NAME
    if file.exists():
        found = sorted({arm.headline for test in read_tests(file) for arm in test.arms})
        source = "headlines of the Upworthy Research Archive"
    else:
        found, source = sorted(load_corpus().titles), f"titles of the packaged corpus, for there is no {file}"
    np.random.default_rng(0).shuffle(found)
    tokenizer = Tokenizer.from_file(str(Path(packaged_model()) / "tokenizer.json"))
    tokenizer.no_padding()
    tokens_N = np.array([len(tokenizer.encode(title).ids) for title in found])
    short = np.flatnonzero(tokens_N <= _MOST_TOKENS)
    say(
        f"{source}: {len(short):,} with {tokens_N[short].mean():.1f} tokens in the mean; "
        f"all {len(found):,} have {tokens_N.mean():.1f}"
    )
    return [found[index] for index in short.tolist()], found


def _calls(texts: Sequence[str], size: int) -> list[list[str]]:
    """The texts of each call."""
    return [list(texts[start : start + size]) for start in range(0, len(texts), size)]


def _speed(name: str, ours: Encoder, theirs: _Peer, calls: list[list[str]], repeats: int, goal: Goal | None) -> Figure:
    def cold() -> float:
        return _rate(CachedEncoder(lambda: ours, 1_000_000, Tally()).encode, calls)

    return figure(name, *paired(cold, lambda: _rate(theirs.encode, calls), repeats), "texts/s", goal)


def _rate(encode: Callable[[list[str]], Floats], calls: list[list[str]]) -> float:
    started_s = timer_s()
    for texts in calls:
        encode(texts)
    return sum(map(len, calls)) / (timer_s() - started_s)


def _closeness(ours: Encoder, theirs: _Peer, titles: list[str]) -> list[Figure]:
    vectors_NE, exact_NE = ours.encode(titles), theirs.encode(titles)
    cosine_N = (vectors_NE * exact_NE).sum(1)
    pairs = zip(_neighbours(vectors_NE), _neighbours(exact_NE), strict=True)
    kept = float(np.mean([len(mine & exact) / _NEIGHBOURS for mine, exact in pairs]))
    mean, least = float(cosine_N.mean()), float(cosine_N.min())
    return [
        Figure("encoder-cosine-mean", mean, 1.0, "cosine", mean, goal=Goal(0.99)),
        Figure("encoder-cosine-least", least, 1.0, "cosine", least),
        Figure("encoder-neighbours-kept", kept, 1.0, "of 10", kept, goal=Goal(0.87)),
    ]


def _neighbours(vectors_NE: Floats) -> list[set[int]]:
    cosine_NN = vectors_NE @ vectors_NE.T
    np.fill_diagonal(cosine_NN, -np.inf)
    return [set(nearest) for nearest in np.argpartition(-cosine_NN, _NEIGHBOURS)[:, :_NEIGHBOURS].tolist()]


def _known(ours: Encoder, titles: list[str], repeats: int) -> Figure:
    """Micro-batches of known texts, each text an object of its own as it comes out of a record, beside cold ones."""
    cache = CachedEncoder(lambda: ours, 100_000, Tally())
    cache.encode(titles)
    random = np.random.default_rng(0)
    wire = [json.dumps(random.choice(titles, _DECISIONS * _DECISION_TEXTS).tolist()) for _ in range(20)]

    def known() -> float:
        return _rate(cache.encode, [json.loads(each) for each in wire])

    def cold() -> float:
        return _rate(CachedEncoder(lambda: ours, 1_000_000, Tally()).encode, _calls(titles[:128], _BATCH))

    return figure("encoder-cache", *paired(known, cold, repeats), "texts/s", Goal(1_000))
