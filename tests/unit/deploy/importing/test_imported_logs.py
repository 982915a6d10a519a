"""Imported logs are judged and learned like our own; on the Open Bandit sample the known values come out."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.bandit import BanditAgent
from deploy.cli import app
from deploy.errors import DeployError, HistoryError
from deploy.evaluating.open_bandit import read_open_bandit
from deploy.importing.importing import import_file
from envs.parts import CoreSettings
from stream.codec import JsonCodec
from stream.events import Click, Impression
from stream.record_file import read_records

SAMPLE = Path(__file__).parents[5] / "shared" / "data" / "obd"
ITEMS = "item_id,item_feature_0,item_feature_1,item_feature_2\n0,0.5,x,q\n1,-0.5,x,r\n2,0.25,y,s\n"
LOG = (
    "timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user-item_affinity_0,"
    "user-item_affinity_1\n"
    "2019-11-24 00:00:17.004101+00:00,1,2,1,0.25,a,c,0.0,3.0\n"
    "2019-11-24 00:00:18+00:00,0,1,0,0.5,b,c,1.0,0.0\n"
    "2019-11-24 00:00:19+00:00,9,1,0,0.5,b,c,1.0,0.0\n"
)


def folder(tmp_path, items=ITEMS, log=LOG):
    found = tmp_path / "bts" / "all"
    found.mkdir(parents=True)
    (found / "item_context.csv").write_text(items)
    (found / "all.csv").write_text(log)
    return found


def events_of(path):
    kinds = {"impressions": Impression, "clicks": Click}
    return [JsonCodec().decode(r.value, kinds[r.topic], r.headers) for r in read_records(path)]


def dsjson(path, count=600):
    """Decisions of a policy that shows the first of two actions in one of four; only the second is ever rewarded."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        for number in range(count):
            first = random.random() < 0.25
            event = {
                "_label_cost": -0.0 if first else -1.0,
                "_label_probability": 0.25 if first else 0.75,
                "_labelIndex": 0 if first else 1,
                "Timestamp": f"2020-11-15T{17 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.0Z",
                "EventId": f"e{number}",
                "c": {"hour": number % 24, "_multi": [{"id": "soup"}, {"id": "goal"}]},
            }
            file.write(json.dumps(event) + "\n")


def invoke(*arguments):
    found = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_dsjson_through_all_commands(tmp_path):
    dsjson(tmp_path / "log.json")
    out = tmp_path / "log.jsonl"
    said = invoke("import", tmp_path / "log.json", "--from", "dsjson", "--out", out)
    assert "600 impressions" in said
    judged = json.loads(invoke("evaluate", "--log", out, "--policy", "uniform", "--estimator", "snips", "--json"))
    # uniform weights 2 where the first was shown and 2/3 where the second was: half of the value is the second's
    assert judged["estimates"]["snips"]["value"] == pytest.approx(0.5, abs=0.05)
    said = invoke("learn", "--log", out, "--out", tmp_path / "learned", "--set", "agent.features.text=off")
    assert "600 outcomes with 600 rows learned" in said
    agent = BanditAgent.load(tmp_path / "learned")
    fresh = next(event for event in events_of(out) if isinstance(event, Impression))
    shown = agent.decide([fresh])[0]
    assert shown.probabilities[1] > 0.9
    assert shown.policy_version.startswith("1.")


def test_open_bandit_by_hand(tmp_path):
    out = tmp_path / "out.jsonl"
    found = import_file("open-bandit", folder(tmp_path), out, CoreSettings())
    assert (found.impressions, found.clicks) == (2, 1)
    assert found.left_out == {"rows whose item is not in item_context.csv": 1}
    first, click, second = events_of(out)
    assert (first.ts_ms, first.user_id) == (1_574_553_617_004, first.impression_id)
    # position 1 to 3; user_feature_0 = a, b; user_feature_1 = c
    assert first.context.features == (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    assert second.context.features == (1.0, 0.0, 0.0, 0.0, 1.0, 1.0)
    # the number, item_feature_1 = x which two share, and the affinity; item 2 has no column of that
    features = [candidate.features for candidate in first.candidates]
    assert features == [(0.5, 1.0, 0.0), (-0.5, 1.0, 3.0), (0.25, 0.0, 0.0)]
    assert (first.logged.item_ids, first.logged.propensities, first.logged.policy) == (("1",), (0.25,), "bts")
    assert (click.item_id, click.value) == ("1", 1.0)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("0.25,a", "x,a"), "values must be numbers; got 'x' in line 2"),
        (("0.25,a", "0,a"), r"propensity_score in \(0, 1\]; got 2 and 0 in line 2"),
        (("1,2,1", "1,4,1"), "position must be 1 to 3"),
        (("2019-11-24 00:00:17.004101+00:00", "soon"), "timestamp must be a date"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(tmp_path, change, rule):
    with pytest.raises(HistoryError, match=rule):
        import_file("open-bandit", folder(tmp_path, log=LOG.replace(*change)), tmp_path / "out.jsonl", CoreSettings())


def test_a_wrong_path_costs_no_file_that_is_there(tmp_path):
    out = tmp_path / "history.jsonl"
    out.write_text("of another day")
    with pytest.raises(DeployError):
        import_file("open-bandit", tmp_path / "nowhere", out, CoreSettings())
    assert out.read_text() == "of another day"


def test_another_folder_is_none(tmp_path):
    with pytest.raises(HistoryError, match=r"must hold item_context.csv"):
        import_file("open-bandit", tmp_path, tmp_path / "out.jsonl", CoreSettings())


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample is not beside the project (shared/data/obd)")
def test_the_sample_has_the_known_value_after_the_import(tmp_path):
    out = tmp_path / "obd.jsonl"
    found = import_file("open-bandit", SAMPLE / "bts" / "men", out, CoreSettings())
    assert (found.impressions, found.clicks) == (10_000, 69)
    with gzip.open(SAMPLE / "bts" / "men" / "men.csv.gz", "rt") as file:
        assert found.impressions == sum(1 for _ in csv.DictReader(file))
    command = ("evaluate", "--log", out, "--policy", "uniform", "--estimator", "ips", "--estimator", "snips", "--json")
    imported, direct = (
        json.loads(invoke(*(log if each == out else each for each in command)))["estimates"]
        for log in (out, SAMPLE / "bts" / "men")
    )
    assert imported["ips"]["value"] == pytest.approx(0.0030, abs=5e-5)
    assert imported["snips"]["value"] == pytest.approx(0.0032, abs=5e-5)
    for name in ("ips", "snips"):
        assert imported[name]["value"] == pytest.approx(direct[name]["value"], rel=1e-9)
        assert imported[name]["effective_sample_size"] == pytest.approx(656, abs=0.5)
    assert len(read_open_bandit(SAMPLE / "bts" / "men", 1 << 62)) == found.impressions
