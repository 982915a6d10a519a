"""Logs to evaluate: written by hand, small enough to add up on paper."""

import csv
import gzip

import numpy as np

from deploy.evaluating.log import LoggedDecisions
from stream.codec import JsonCodec
from stream.events import Candidate, Context, Outcome, Slot
from support.events import T0_MS, impression, recommendation

OPEN_BANDIT_ROWS = (  # item, position, click, propensity
    ("7", 1, 1, 0.5),
    ("9", 2, 0, 0.25),
    ("7", 3, 0, 0.8),
    ("9", 1, 1, 0.2),
)


def logged_decisions(reward_N, action_N, propensity_N, logging_NK, **changes):
    """A log of K candidates each, every decision of a user of its own."""
    logging_NK = np.asarray(logging_NK, dtype=float)
    N, K = logging_NK.shape
    fields = {
        "name": "by hand",
        "reward_N": np.array(reward_N, dtype=float),
        "action_N": np.array(action_N),
        "propensity_N": np.array(propensity_N, dtype=float),
        "counts_N": np.full(N, K),
        "logging_M": logging_NK.reshape(-1),
        "item_M": np.tile(np.arange(K), N),
        "context_NC": np.zeros((N, 0)),
        "candidate_MD": np.zeros((N * K, 0)),
        "group_N": np.arange(N),
    }
    return LoggedDecisions(**fields | changes)


def open_bandit_folder(folder, rows=OPEN_BANDIT_ROWS, *, zipped=False):
    """A folder in the form of the Open Bandit data set, with the items 7 and 9."""
    folder.mkdir(parents=True)
    items = [("item_id", "item_feature_0"), ("7", "0.5"), ("9", "-0.5")]
    head = ("timestamp", "item_id", "position", "click", "propensity_score", "user_feature_0")
    log = [head, *(("2019-11-24", *row, "x") for row in rows)]
    for name, lines in (("item_context.csv", items), (f"{folder.name}.csv", log)):
        path = folder / (name + ".gz" if zipped else name)
        with (gzip.open if zipped else open)(path, "wt", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
    return folder


def shown(number, item="a", reward=0.0, **changes):
    """An outcome of candidates a and b, each with one feature: shown alone, half and half."""
    name, user = f"i{number}", changes.pop("user", f"u{number}")
    candidates = (Candidate(item_id="a", features=(1.0,)), Candidate(item_id="b", features=(0.0,)))
    ts_ms, propensity = T0_MS + 1_000 * number, changes.pop("propensity", 0.5)
    decided = {
        "decision_id": f"d{number}",
        "impression_id": name,
        "user_id": user,
        "ts_ms": ts_ms,
        "slate": (Slot(item_id=item, propensity=propensity),),
        "probabilities": (0.5, 0.5),
    }
    met = impression(
        impression_id=name, user_id=user, ts_ms=ts_ms, candidates=candidates, context=Context(features=(1.0,))
    )
    fields = {
        "impression": met,
        "recommendation": recommendation(**decided | changes),
        "rewards": (reward,),
        "closed_ms": ts_ms + 1,
    }
    return Outcome(**fields)


def only_a_is_clicked(decisions, seed=0):
    """Outcomes of an even choice between a, always clicked, and b, never."""
    chosen = np.random.default_rng(seed).integers(2, size=decisions)
    return [shown(number, "ab"[index], float(index == 0)) for number, index in enumerate(chosen)]


def write_outcomes(path, outcomes):
    """A file of outcomes, one a line."""
    path.write_bytes(b"".join(JsonCodec().encode(outcome) + b"\n" for outcome in outcomes))
    return path


def upworthy_file(folder):
    """An archive of two tests: the first of two headlines, the second of three; 60 impressions."""
    columns = ("test_id", "test_created_utc", "arm", "headline", "lede", "impressions", "clicks", "clean")
    rows = [
        ("t1", "2013-01-01", 0, "One", "<p>Same</p>", 10, 2, 1),
        ("t1", "2013-01-01", 1, "Two", "<p>Same</p>", 20, 1, 1),
        ("t2", "2013-02-01", 0, "Three", "", 10, 0, 1),
        ("t2", "2013-02-01", 1, "Four", "", 10, 5, 1),
        ("t2", "2013-02-01", 2, "Five", "", 10, 1, 1),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "packages.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder
