"""The printed rights: names of the settings, one command for each resource, nothing more than the role needs."""

import io
import shlex

import pytest
from rich.console import Console

from deploy.acls import AclOptions, commands, show_acls
from stream.kafka.rights import rights_of
from stream.kafka.settings import KafkaSettings

SETTINGS = KafkaSettings(
    group_id="news", topics={"impressions": "in.views", "dead_letters": "out.dead"}, bootstrap_servers="k:9093"
)


def printed(**options) -> str:
    out = io.StringIO()
    show_acls(SETTINGS, AclOptions(**options), Console(file=out, width=200))
    return out.getvalue()


def test_the_table_and_the_commands_hold_the_names_of_the_settings():
    text = printed()
    assert "What User:agent needs as agent" in text
    for expected in ("in.views", "kafka.topics.impressions", "news-…", "kafka.group_id", "out.dead"):
        assert expected in text
    assert (
        "kafka-acls.sh --bootstrap-server k:9093 --command-config admin.properties --add "
        "--allow-principal User:agent --operation Write --transactional-id news- --resource-pattern-type prefixed"
    ) in text


def test_each_resource_has_one_command_with_all_of_its_operations():
    rights = rights_of("agent", SETTINGS)
    lines = commands(rights, "User:a b", "k:9093")
    assert len(lines) == len({(right.resource, right.name) for right in rights}) == 7
    words = [shlex.split(line) for line in lines]
    assert all(each[each.index("--allow-principal") + 1] == "User:a b" for each in words)
    both = next(each for each in words if each[-1] == "outcomes")
    assert [both[at + 1] for at, word in enumerate(both) if word == "--operation"] == ["Write", "Read"]


def test_the_low_latency_agent_needs_no_transactional_id():
    rights = rights_of("agent", SETTINGS.model_copy(update={"guarantee": "low_latency"}))
    assert {right.resource for right in rights} == {"topic", "group"}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("world", {("in.views", "Write"), ("clicks", "Write"), ("recommendations", "Read")}),
        (
            "topics",
            {
                (name, operation)
                for name in ("in.views", "clicks", "recommendations", "outcomes", "out.dead")
                for operation in ("Create", "Describe", "DescribeConfigs")
            },
        ),
    ],
)
def test_the_other_roles_need_less(role, expected):
    rights = rights_of(role, SETTINGS)
    assert {(right.name, right.operation) for right in rights} == expected
    assert {right.resource for right in rights} == {"topic"}
    assert "--operation" in printed(role=role, principal="User:w")
