"""A history is learned as a stream, whoever decided, into a folder that others begin from."""

import json

import msgspec
import numpy as np
import pytest
from support.agents import agent_of, outcomes_of, state_of
from support.agents import impression as impression_of
from support.core_bench import CODEC, T0_MS, click, impression

from agent.bandit import BanditAgent
from agent.snapshot import Snapshot
from deploy.errors import EvaluateError, HistoryError
from deploy.evaluating.joined import joined_outcomes, joining
from deploy.importing.history import open_history
from deploy.importing.learn import Say, learn_history
from deploy.settings import Settings
from envs.parts import CoreSettings
from stream.events import Context, Logged
from stream.log import Record
from stream.record_file import write_records
from stream.settings import AttributionSettings

NUMERIC = Settings(agent={"features": {"text": "off"}}, core={"attribution": {"window_ms": 1_000}})


class Timer:
    now_s = 0.0

    def __call__(self):
        self.now_s += 3.0
        return self.now_s


def quiet():
    return Say(lambda _: None, Timer())


def logged(name, item, propensity=0.25, **more):
    propensities = None if propensity is None else (propensity,)
    return impression(name, logged=Logged(item_ids=(item,), propensities=propensities, policy="old"), **more)


def recorded(path, *events):
    """A recorded log of events, in their order."""
    topics = {"Impression": "impressions", "Click": "clicks", "Outcome": "outcomes"}

    def records():
        for offset, event in enumerate(events):
            user = getattr(event, "user_id", "u1")
            topic = topics[type(event).__name__]
            yield Record(topic, 0, offset, user.encode(), CODEC.encode(event), CODEC.headers, T0_MS)

    write_records(path, records())
    return str(path)


def taken(log, settings=NUMERIC):
    with open_history(log, settings) as history:
        return list(history.outcomes), history


def test_logged_impressions_are_joined_as_they_come(tmp_path):
    events = [logged("i1", "a"), click("i1"), logged("i2", "b", ts_ms=T0_MS + 5_000), click("i2", T0_MS + 5_100, "b")]
    outcomes, history = taken(recorded(tmp_path / "log", *events, impression("mine", T0_MS + 5_200)))
    assert [(o.impression.impression_id, o.rewards) for o in outcomes] == [("i1", (1.0,)), ("i2", (1.0,))]
    assert {o.recommendation.strategy for o in outcomes} == {"logged"}
    assert history.left_out == {"impressions without `logged`": 1}
    assert history.positions == {}


def test_what_is_open_is_all_that_is_held():
    events = (logged(f"i{number}", "a", ts_ms=T0_MS + 100 * number) for number in range(100))
    read = 0

    def counted():
        nonlocal read
        for event in events:
            read += 1
            yield event

    settings = CoreSettings(attribution=AttributionSettings(window_ms=1_000))
    outcomes = joining(counted(), settings, out_of_order_ms=500)
    assert next(outcomes).impression.impression_id == "i0"
    assert read == 17  # the first closes when an event is 1,500 ms ahead and more


@pytest.mark.parametrize("seed", range(3))
def test_events_that_are_a_little_out_of_order_give_the_same(seed):
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, 20_000, 60)) + T0_MS
    events = [logged(f"i{n}", "a", ts_ms=int(ts)) for n, ts in enumerate(times)]
    events += [click(f"i{n}", int(ts) + 50) for n, ts in enumerate(times) if n % 3 == 0]
    settings = CoreSettings(attribution=AttributionSettings(window_ms=1_000))
    shuffled = sorted(events, key=lambda each: each.ts_ms + random.uniform(0, 400))
    assert list(joining(shuffled, settings, out_of_order_ms=400)) == joined_outcomes(events, settings)


def test_an_impression_far_behind_is_late_and_told(tmp_path):
    log = recorded(tmp_path / "log", logged("i1", "a", ts_ms=T0_MS + 60_000), logged("i2", "a"), logged("i1", "b"))
    outcomes, history = taken(log)
    assert len(outcomes) == 1
    assert history.left_out == {"late impressions": 1, "repeated impressions": 1}


def test_outcomes_are_read_bare_or_as_records(tmp_path):
    agent = agent_of("numeric")
    outcomes = outcomes_of(agent, [impression_of("numeric", number) for number in range(5)])
    bare = tmp_path / "bare"
    bare.write_bytes(b"".join(CODEC.encode(outcome) + b"\n" for outcome in outcomes))
    assert taken(str(bare))[0] == outcomes
    assert taken(recorded(tmp_path / "log", *outcomes))[0] == outcomes


def test_users_go_by_their_pseudonyms(tmp_path):
    settings = Settings(privacy={"user_key": "sixteen letters!"})
    outcomes, _ = taken(recorded(tmp_path / "log", logged("i1", "a"), click("i1")), settings)
    assert outcomes[0].impression.user_id == settings.privacy.pseudonyms()("u1") != "u1"
    assert outcomes[0].clicks[0].user_id == outcomes[0].recommendation.user_id == outcomes[0].impression.user_id


@pytest.mark.parametrize(
    ("content", "rule"), [("", "empty file"), ("{broken\n", "JSON lines"), ('{"a": 1}\n', "line 1")]
)
def test_what_is_no_history_is_refused(tmp_path, content, rule):
    path = tmp_path / "log"
    path.write_text(content)
    with pytest.raises(HistoryError, match=rule):
        taken(str(path))
    with pytest.raises(EvaluateError, match="does not exist"):
        taken(str(tmp_path / "absent"))


def test_a_snapshot_of_a_history_is_an_agent_that_learned_it(tmp_path):
    teacher, settings = agent_of("numeric"), NUMERIC.model_copy(update={"seed": 4})
    impressions = [impression_of("numeric", number, ts_ms=T0_MS + number) for number in range(600)]
    outcomes = outcomes_of(teacher, impressions)
    studied = learn_history(recorded(tmp_path / "log", *outcomes), tmp_path / "out", settings, quiet())
    assert (studied.outcomes, studied.rows, studied.without_propensity, studied.left_out) == (600, 600, 0, {})
    assert 0.0 < studied.loss < 1.0
    direct = BanditAgent(settings.agent, seed=4)
    for start in range(0, 600, 256):
        direct.learn(outcomes[start : start + 256])
    direct.save(tmp_path / "direct")
    assert state_of(BanditAgent.load(tmp_path / "out")) == state_of(BanditAgent.load(tmp_path / "direct"))


def test_unknown_propensities_teach_the_same(tmp_path):
    states = []
    for propensity in (0.25, None):
        events = [logged(f"i{n}", "abcd"[n % 4], propensity, ts_ms=T0_MS + n) for n in range(300)]
        events += [click(f"i{n}", T0_MS + 400 + n, "c") for n in range(300)]
        log, out = recorded(tmp_path / f"log{propensity}", *events), tmp_path / f"out{propensity}"
        studied = learn_history(log, out, NUMERIC, quiet())
        assert studied.without_propensity == (0 if propensity else 300)
        policy, kept, *rest = state_of(BanditAgent.load(out))
        kept.pop("propensity_R")
        states.append((policy, kept, rest))
    assert states[0] == states[1]


def test_what_users_clicked_before_is_known_when_later_decisions_of_others_are_learned():
    agent = BanditAgent(NUMERIC.agent)
    first = joined_outcomes([logged("i1", "d"), click("i1", item="d")], NUMERIC.core)
    later = joined_outcomes([logged("i2", "a", ts_ms=T0_MS + 60_000)], NUMERIC.core)
    agent.learn(first)
    agent.learn(later)
    user_RU = agent._learning.get_state()["user_RU"]
    assert not user_RU[0].any()  # nobody had been seen
    assert user_RU[1][-3] == pytest.approx(np.log1p(1))  # one click


def test_a_misfit_is_left_out_and_a_folder_is_not_written_over(tmp_path):
    odd = logged("odd", "a", context=Context(features=(1.0,)))
    log = recorded(tmp_path / "log", logged("i1", "a"), odd)
    studied = learn_history(log, tmp_path / "out", NUMERIC, quiet())
    assert (studied.outcomes, studied.loss) == (1, None)
    assert list(studied.left_out.values()) == [1]
    with pytest.raises(HistoryError, match="new or empty folder"):
        learn_history(log, tmp_path / "out", NUMERIC, quiet())


def test_a_history_without_decisions_of_others_says_what_it_holds(tmp_path):
    with pytest.raises(HistoryError, match="got 1 impressions without `logged`"):
        learn_history(recorded(tmp_path / "log", impression()), tmp_path / "out", NUMERIC, quiet())


def test_progress_is_told_every_few_seconds(tmp_path):
    said = []
    log = recorded(tmp_path / "log", *(logged(f"i{n}", "a", ts_ms=T0_MS + n) for n in range(1_000)))
    learn_history(log, tmp_path / "out", NUMERIC, Say(said.append, Timer()))
    assert said[0].startswith("512 outcomes learned")
    assert len(said) == 2


def test_the_snapshot_tells_encoder_and_positions(tmp_path):
    agent = agent_of("text")
    agent.learn(outcomes_of(agent, [impression_of("text", 1)]))
    agent.save(tmp_path / "out", {0: 7, 2: 9})
    snapshot = msgspec.json.decode((tmp_path / "out" / "state.json").read_bytes(), type=Snapshot)
    assert snapshot.positions == {0: 7, 2: 9}
    assert snapshot.encoder_version == agent._featurizer.encoder_version != ""
    older = json.loads((tmp_path / "out" / "state.json").read_text())
    del older["positions"], older["encoder_version"]
    assert msgspec.convert(older, Snapshot, strict=False).positions == {}
