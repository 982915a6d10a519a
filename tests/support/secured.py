"""A secured broker for tests: certificates of an authority made for the occasion, and the users of every role."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization

from deploy.broker.broker import Broker, start_broker
from deploy.broker.security import BrokerSecurity
from stream.kafka.settings import KafkaSettings

USERS = ("admin", "agent", "quick", "world", "operator", "stranger")


@dataclass(frozen=True)
class Certificates:
    """PEM files of one authority.

    Attributes:
        authority: its certificate.
        broker: key and certificate of the broker.
        client_key: encrypted key of the user `agent`, for mutual TLS.
        client: certificate of the user `agent`.
        other_authority: one that nobody trusts.
        key_password: of `client_key`.
    """

    authority: Path
    broker: Path
    client_key: Path
    client: Path
    other_authority: Path
    key_password: str


@dataclass(frozen=True)
class Secured:
    """A running secured broker and all that is needed to be one of its users."""

    broker: Broker
    security: BrokerSecurity
    certificates: Certificates

    def settings(self, user: str, **changed: Any) -> KafkaSettings:
        """The settings of a user; `changed` wins."""
        given = {"bootstrap_servers": self.broker.bootstrap, **self.security.client(user), **changed}
        return KafkaSettings(**given)


@contextmanager
def secured_broker(folder: Path) -> Iterator[Secured]:
    """Starts one with random passwords; its files lie in the folder."""
    certificates = make_certificates(folder)
    passwords = {user: secrets.token_hex(16) for user in USERS}
    security = BrokerSecurity(certificates.broker, certificates.authority, passwords)
    with start_broker(folder, security) as broker:
        yield Secured(broker, security, certificates)


def make_certificates(folder: Path) -> Certificates:
    """An authority, the broker's certificate and a client's."""
    authority = trustme.CA()
    password = secrets.token_hex(16)
    made = Certificates(
        authority=folder / "authority.pem",
        broker=folder / "broker.pem",
        client_key=folder / "client.key.pem",
        client=folder / "client.pem",
        other_authority=folder / "other.pem",
        key_password=password,
    )
    authority.cert_pem.write_to_path(made.authority)
    trustme.CA().cert_pem.write_to_path(made.other_authority)
    broker = authority.issue_cert("localhost", "127.0.0.1")
    _write_key(made.broker, broker, None)
    for pem in broker.cert_chain_pems:
        pem.write_to_path(made.broker, append=True)
    client = authority.issue_cert("agent.test", common_name="agent")
    _write_key(made.client_key, client, password)
    client.cert_chain_pems[0].write_to_path(made.client)
    return made


def _write_key(path: Path, certificate: trustme.LeafCert, password: str | None) -> None:
    """The key in PKCS #8, the only form that Kafka reads."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
