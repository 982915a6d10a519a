"""Gives rights to a principal, with an administrator's credentials."""

from collections.abc import Sequence
from contextlib import closing

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from stream.errors import AccessError
from stream.kafka.client import answering, make_admin
from stream.kafka.rights import Right
from stream.kafka.settings import KafkaSettings


def give_rights(settings: KafkaSettings, principal: str, rights: Sequence[Right]) -> None:
    """Adds the rights; those that the principal has already stay as they are.

    Args:
        settings: the connection of an administrator, who has Alter on the cluster.
        principal: such as `User:agent`.
        rights: what to give.

    Raises:
        AccessError: the broker refused, or has no authorizer.
        LogUnavailableError: the cluster did not answer.
    """
    with closing(make_admin(settings)) as admin, answering(settings, "giving rights"):
        result = admin.create_acls([as_acl(right, principal) for right in rights])
    if result["failed"]:
        reasons = ", ".join(sorted({error.__name__ for error in result["failed"]}))
        raise AccessError(
            f"rights must be given by an administrator ({settings.principal} is connected) on a broker with an "
            f"authorizer; {len(result['failed'])} of {len(rights)} were refused ({reasons})"
        )


def as_acl(right: Right, principal: str) -> ACL:
    """The client's form of a right, from any host."""
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    kind = ResourceType[right.resource.upper().replace("-", "_")]
    operation = {"DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS}.get(right.operation)
    return ACL(
        principal=principal,
        host="*",
        operation=operation or ACLOperation[right.operation.upper()],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(kind, right.name, pattern),
    )
