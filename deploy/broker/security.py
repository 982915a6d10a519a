"""What makes the throwaway broker a secured one: TLS, passwords, and an authorizer that allows only what is granted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MECHANISMS = ("SCRAM-SHA-512", "PLAIN")  # what clients may use; SCRAM-SHA-256 is left out, to be refused
_NODE = "node"  # how the node knows itself; no client has its password
_PROPERTIES = """\
listeners=CLIENTS://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=CLIENTS:SASL_SSL,MUTUAL:SSL,CONTROLLER:SASL_SSL
inter.broker.listener.name=CLIENTS
sasl.enabled.mechanisms={mechanisms}
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=PLAIN
listener.name.clients.scram-sha-512.sasl.jaas.config={scram} username="{admin}" password="{password}";
listener.name.clients.plain.sasl.jaas.config={plain} {plain_users};
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain} \
username="{node}" password="{password}" user_{node}="{password}";
listener.name.mutual.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/,DEFAULT
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin};User:{node}
"""


@dataclass(frozen=True)
class BrokerSecurity:
    """Who may speak with the broker, and by which certificates.

    Attributes:
        keystore: PEM file of the broker's private key (PKCS #8) and its certificate, for `localhost` and 127.0.0.1.
        truststore: PEM file of the authority that signed it, and that signs the clients' certificates.
        passwords: of each user; letters and digits.
        admin: the one of them that may do everything.
    """

    keystore: Path
    truststore: Path
    passwords: Mapping[str, str] = field(repr=False)
    admin: str = "admin"

    def properties(self, port: int, mutual: int, controller: int) -> str:
        """The lines of `server.properties` that differ from a broker without security."""
        package = "org.apache.kafka.common.security"
        return _PROPERTIES.format(
            port=port,
            mutual=mutual,
            controller=controller,
            mechanisms=",".join(MECHANISMS),
            scram=f"{package}.scram.ScramLoginModule required",
            plain=f"{package}.plain.PlainLoginModule required",
            plain_users=" ".join(f'user_{name}="{password}"' for name, password in self.passwords.items()),
            admin=self.admin,
            node=_NODE,
            password=self.passwords[self.admin],
            keystore=self.keystore,
            truststore=self.truststore,
        )

    def format_options(self) -> tuple[str, ...]:
        """What creates the users when the storage is formatted."""
        users = (f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in self.passwords.items())
        return tuple(option for user in users for option in ("--add-scram", user))

    def client(self, user: str) -> dict[str, Any]:
        """Connection settings (`KafkaSettings`) of a user."""
        return {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": MECHANISMS[0],
            "username": user,
            "password": self.passwords[user],
            "ssl_cafile": str(self.truststore),
        }
