"""Rights on a real broker: everyone may do what is theirs, the agent with exactly what `streambandit acls` prints."""

import uuid

import pytest
from support.agent_cycle import Cycle, cycle
from support.rights_matrix import allowed, matrix, settings_of, table, take_away, until_deadline
from support.secured import USERS, Secured
from typer.testing import CliRunner

from deploy import doctor_kafka
from deploy.cli import app
from deploy.settings import Settings
from stream.errors import AccessError
from stream.kafka.access import missing_rights
from stream.kafka.acls import give_rights
from stream.kafka.rights import Right, rights_of
from stream.kafka.settings import KafkaSettings
from stream.kafka.topics import create_topics, describe_topics
from stream.kafka.world import KafkaWorldLog
from stream.log import INPUT_TOPICS, OUTPUT_TOPICS

pytestmark = pytest.mark.kafka

AGENTS = {"agent", "quick"}
RIGHTS = [str(right) for right in rights_of("agent", KafkaSettings())]


def fresh(secured: Secured, user: str) -> KafkaSettings:
    """A group of its own on the shared topics, with its rights given: no test sees another's positions."""
    settings = settings_of(secured, user, group_id=f"g{uuid.uuid4().hex[:8]}", session_timeout_ms=6_000)
    give_rights(secured.settings("admin"), f"User:{user}", rights_of("agent", settings))
    assert any(missing_rights(settings, "agent") == () for _ in until_deadline())  # given now, in force a moment later
    return settings


def test_everyone_may_do_what_is_theirs_and_nothing_else(secured):
    found = matrix(secured)
    print(table(found))  # noqa: T201 - shown where it fails
    everyone = {
        "read impressions": AGENTS,
        "write impressions": {"world"},
        "read clicks": AGENTS,
        "write clicks": {"world"},
        "read recommendations": AGENTS | {"world"},
        "write recommendations": AGENTS,
        "read outcomes": AGENTS,
        "write outcomes": AGENTS,
        "read dead-letters": AGENTS,
        "write dead-letters": AGENTS,
        "join the group": AGENTS,
        "use its transactional id": {"agent"},
        "use another's transactional id": set(),
        "create a topic of ours": {"operator"},
        "create another topic": set(),
        "give rights": set(),
    }
    assert {name: allowed(row) - {"admin"} for name, row in found.items()} == everyone
    for name, row in found.items():
        assert row["admin"] == "yes"
        refused = {told for user, told in row.items() if user not in allowed(row)}
        assert refused == {proper_error(name)}, name
    assert all(set(row) == set(USERS) for row in found.values())


def proper_error(operation: str) -> str:
    kinds = {"group": "Group", "transactional": "TransactionalId", "rights": "Cluster"}
    kind = next((kind for word, kind in kinds.items() if word in operation), "Topic")
    return f"{kind}AuthorizationFailedError"


@pytest.mark.parametrize("user", sorted(AGENTS))
def test_the_agent_does_all_of_its_work_with_the_printed_rights(secured, user):
    assert_all_worked(cycle(fresh(secured, user), secured.settings("world")))


def assert_all_worked(done: Cycle) -> None:
    assert set(done.read) == {*INPUT_TOPICS, *OUTPUT_TOPICS}
    assert all(done.read.values()), done.read
    assert done.restored == done.committed != {}


@pytest.mark.parametrize("right", RIGHTS)
def test_without_one_of_them_the_agent_says_which_is_missing(secured, right):
    settings = fresh(secured, "agent")
    taken = next(each for each in rights_of("agent", settings) if str(each) == named(right, settings))
    admin = secured.settings("admin")
    take_away(admin, "User:agent", taken)
    try:
        told = refused(settings, secured.settings("world"))
    finally:
        give_rights(admin, "User:agent", [taken])
    assert told.startswith(f"User:agent must have {taken}; the broker refused ")
    assert told.endswith(". `streambandit acls` prints all rights that are needed")


def named(right: str, settings: KafkaSettings) -> str:
    """The right of the default group as it is for this one."""
    return right.replace("'streambandit", f"'{settings.group_id}")


def refused(settings: KafkaSettings, world: KafkaSettings) -> str:
    """The error of a cycle; a right that was taken away may work for a moment longer."""
    for _ in range(5):
        try:
            cycle(settings, world)
        except AccessError as error:
            return str(error)
    raise AssertionError("the broker refused nothing")


def test_a_right_that_the_guarantee_needs_is_named(secured):
    """The low-latency agent has no transactional id."""
    settings = fresh(secured, "quick").model_copy(update={"guarantee": "exactly_once"})
    with pytest.raises(AccessError, match=f"Write on transactional-id beginning with '{settings.group_id}-'"):
        cycle(settings, secured.settings("world"))


def test_the_world_needs_no_right_on_the_other_topics_and_is_told_what_it_lacks(secured):
    world = secured.settings("world")
    assert {state.topic for state in describe_topics(world, "world").topics} == {*INPUT_TOPICS, "recommendations"}
    with pytest.raises(AccessError, match=r"User:stranger must have Write on topic 'impressions' \(kafka.topics.imp"):
        KafkaWorldLog(secured.settings("stranger"))


def test_topics_are_created_by_who_may(secured):
    names = {"impressions": f"t{uuid.uuid4().hex[:8]}"}
    with pytest.raises(AccessError, match=f"Create on topic '{names['impressions']}'"):
        create_topics(secured.settings("agent", topics=names))
    operator = secured.settings("operator", topics=names)
    give_rights(secured.settings("admin"), "User:operator", rights_of("topics", operator))
    report = create_topics(operator)
    assert (report.problems, report.warnings) == ((), ())
    assert report.topics[0].timestamps == "LogAppendTime"


def test_only_an_administrator_gives_rights(secured):
    with pytest.raises(AccessError, match="User:agent is connected"):
        give_rights(secured.settings("agent"), "User:agent", [Right("topic", "x", "Read", "", "")])


def test_the_doctor_names_missing_rights_and_finds_the_agents_whole(secured):
    def told(settings: KafkaSettings) -> list[tuple[str, str]]:
        return [(finding.state, finding.what) for finding in doctor_kafka.kafka(Settings(kafka=settings))]

    agent = fresh(secured, "agent")
    assert ("good", "rights: User:agent has those on topics and group that the agent needs") in told(agent)
    assert "bad" not in {state for state, _ in told(agent)}
    found = told(secured.settings("operator"))
    lacks = "rights: User:operator must have Write on topic 'outcomes' (kafka.topics.outcomes)"
    assert ("bad", lacks) in found
    ((state, what),) = told(secured.settings("stranger"))
    assert state == "bad"
    assert what.startswith("broker: User:stranger must have Read on topic 'impressions'")


def test_the_command_gives_the_rights_and_shows_no_password(secured, monkeypatch):
    prefix = f"c{uuid.uuid4().hex[:8]}"
    admin, agent = (secured.settings(user, group_id=prefix) for user in ("admin", "agent"))
    chosen = admin.model_dump(mode="json", exclude={"password", "topics"}, exclude_none=True)
    options = [part for name, value in chosen.items() for part in ("--set", f"kafka.{name}={value}")]
    monkeypatch.setenv("STREAMBANDIT_KAFKA__PASSWORD", secured.security.passwords["admin"])
    done = CliRunner().invoke(app, ["acls", "--principal", "User:agent", "--apply", *options], catch_exceptions=False)
    assert done.exit_code == 0
    assert "10 rights given to User:agent" in done.output
    assert secured.security.passwords["admin"] not in done.output
    assert any(missing_rights(agent, "agent") == () for _ in until_deadline())
    assert_all_worked(cycle(agent, secured.settings("world")))
