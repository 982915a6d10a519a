"""Which rights the broker gives us, which are missing, and what it means when it refuses."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from stream.errors import AccessError
from stream.kafka.rights import Right, Role, rights_of
from stream.kafka.settings import KafkaSettings

_HINT = "`streambandit acls` prints all rights that are needed"
_RESOURCES = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    TransactionalIdAuthorizationFailedError: "transactional-id",
}


def refusal(error: BaseException, settings: KafkaSettings, what: str, role: Role = "agent") -> AccessError | None:
    """What to say where the broker refused for want of a right; None where that is not what happened.

    Args:
        error: what the client raised, perhaps because of what the broker said.
        settings: who we are and what we use.
        what: what was tried.
        role: as what.
    """
    cause = _authorization_error(error)
    if cause is None:
        return None
    who = settings.principal
    if isinstance(cause, ClusterAuthorizationFailedError):
        return AccessError(f"{who} must have the right on the cluster for {what}; the broker refused. {_HINT}")
    resource = next((name for kind, name in _RESOURCES.items() if isinstance(cause, kind)), "topic")
    suspects = [str(right) for right in _suspects(settings, role, resource, str(cause))]
    named = ", ".join(suspects) or f"the right on {resource} for it ({cause})"
    return AccessError(f"{who} must have {named}; the broker refused {what}. {_HINT}")


def missing_rights(settings: KafkaSettings, role: Role) -> tuple[Right, ...]:
    """The rights of a role that the broker does not give us, as far as it tells: of topics and of the group.

    Raises:
        KafkaError: the cluster did not answer.
    """
    with closing(KafkaAdminClient(**settings.connection())) as admin:
        rights = rights_of(role, settings)
        topics = sorted({right.name for right in rights if right.resource == "topic"})
        given = {("topic", entry["name"]): _operations(entry) for entry in admin.describe_topics(topics)}
        if any(right.resource == "group" for right in rights):
            found = _group_operations(admin, settings.group_id)
            given |= {("group", settings.group_id): found} if found is not None else {}
    return tuple(
        right
        for right in rights
        if (right.resource, right.name) in given and right.operation.upper() not in given[right.resource, right.name]
    )


def _authorization_error(error: object) -> AuthorizationError | None:
    """What the broker said: the error itself, or one that its cause or its arguments hold."""
    if isinstance(error, AuthorizationError) or not isinstance(error, BaseException):
        return error if isinstance(error, AuthorizationError) else None
    return next(filter(None, map(_authorization_error, (error.__cause__, *error.args))), None)


def _suspects(settings: KafkaSettings, role: Role, resource: str, told: str) -> Iterator[Right]:
    """The missing rights on a kind of resource; all on what the error names where the broker does not tell."""
    needed = [right for right in rights_of(role, settings) if right.resource == resource]
    try:
        missing = [right for right in missing_rights(settings, role) if right.resource == resource]
    except KafkaError:
        missing = []
    named = [right for right in needed if right.name in told]
    yield from missing or named or needed


def _operations(entry: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name.replace("_", "") for name in entry.get("authorized_operations") or ())


def _group_operations(admin: KafkaAdminClient, group: str) -> frozenset[str] | None:
    try:
        return _operations(admin.describe_groups([group])[group]) or None  # none are told of a group to come
    except AuthorizationError:
        return frozenset()
    except KafkaError:  # no coordinator yet, which says nothing of rights
        return None
