"""The alerts: Prometheus' own checker reads them where it is at hand, and the endpoint shows every metric in them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from deploy.metrics import Metrics
from stream.meter import Tally

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules.yml"


def alerts():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def test_every_alert_says_how_grave_it_is_and_what_it_means():
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) > 0
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_alerts_ask_for_metrics_that_the_endpoint_shows(rule):
    metrics = Metrics()
    tally = Tally(levels={"calibration_ratio": 1.0})  # what is shown only once it is known
    tally.count("propensity_decisions")
    tally.count("propensity_weight", label="greedy")
    metrics.absorb(tally)
    shown = {line.split("{")[0].split(" ")[0] for line in generate_latest(metrics.registry).decode().splitlines()}
    asked = re.findall(r"streambandit_\w+", rule["expr"])
    assert asked
    assert set(asked) <= shown


def test_prometheus_reads_them():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not at hand")
    checked = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
