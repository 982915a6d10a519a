"""Where Kafka is, who we are there, which topics we use and how long we wait."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from stream.log import Topic
from stream.secrets import require_one_source, secret_of
from stream.settings import Section


class TopicNames(Section):
    """The name on the broker of each topic's role.

    >>> TopicNames(dead_letters="dl").of("dead-letters")
    'dl'
    """

    impressions: str = Field("impressions", min_length=1)
    clicks: str = Field("clicks", min_length=1)
    recommendations: str = Field("recommendations", min_length=1)
    outcomes: str = Field("outcomes", min_length=1)
    dead_letters: str = Field("dead-letters", min_length=1)

    def of(self, topic: Topic) -> str:
        """The name of a role's topic on the broker."""
        name: str = getattr(self, topic.replace("-", "_"))
        return name

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = list(self.model_dump().values())
        if len(set(names)) != len(names):
            raise ValueError(f"topics must have distinct names; got {', '.join(names)}")
        return self


class KafkaSettings(Section):
    """One cluster, seen by one consumer group.

    >>> KafkaSettings(commit_timeout_ms=20_000)
    Traceback (most recent call last):
        ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for KafkaSettings
      Value error, commit_timeout_ms must be below transaction_timeout_ms (10000); got 20000 [type=value_error]
    ...
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # the input of a rule over several keys holds the password

    bootstrap_servers: str = Field("localhost:9092", description="host:port of some brokers, separated by commas")
    group_id: str = Field("streambandit", min_length=1, description="consumer group; runners that share it share work")
    topics: TopicNames = TopicNames()
    guarantee: Literal["exactly_once", "low_latency"] = Field(
        "exactly_once", description="low_latency publishes without transactions: an event can come twice after a crash"
    )

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = Field(None, min_length=1)
    password: SecretStr | None = Field(None, min_length=1)
    password_file: Path | None = Field(None, description="file that holds the password, on every node of the cluster")
    ssl_cafile: str | None = Field(None, description="PEM file of the authority that signed the broker's certificate")
    ssl_certfile: str | None = Field(None, description="PEM file of our own certificate, where the broker asks for one")
    ssl_keyfile: str | None = Field(None, description="PEM file of its key, where that is not in ssl_certfile")
    ssl_key_password: SecretStr | None = Field(None, min_length=1, description="of ssl_keyfile, where it is encrypted")
    ssl_key_password_file: Path | None = Field(None, description="file that holds ssl_key_password")

    bootstrap_timeout_ms: int = Field(10_000, ge=100, description="deadline for the first answer of the cluster")
    request_timeout_ms: int = Field(10_000, ge=1_000, description="deadline of one request")
    commit_timeout_ms: int = Field(8_000, ge=100, description="deadline of one commit, all its steps together")
    transaction_timeout_ms: int = Field(10_000, ge=1_000, description="a killed writer blocks readers this long")
    session_timeout_ms: int = Field(10_000, ge=6_000, description="a silent runner loses its partitions after this")

    partitions: int = Field(4, ge=1, description="of each topic that `topics` creates; dead-letters has 1")
    replication: int = Field(1, ge=1, description="copies of each partition that `topics` creates")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # A commit that outlives its transaction is aborted by the broker; the client may not say so.
        if self.commit_timeout_ms >= self.transaction_timeout_ms:
            raise ValueError(
                f"commit_timeout_ms must be below transaction_timeout_ms ({self.transaction_timeout_ms}); "
                f"got {self.commit_timeout_ms}"
            )
        if self.security_protocol.startswith("SASL") != (self.sasl_mechanism is not None):
            raise ValueError(
                f"sasl_mechanism must be set with a SASL security_protocol and only then; "
                f"got {self.sasl_mechanism} with {self.security_protocol}"
            )
        return self

    @model_validator(mode="after")
    def _identified(self) -> Self:
        require_one_source("password", self.password, self.password_file)
        require_one_source("ssl_key_password", self.ssl_key_password, self.ssl_key_password_file)
        if self.sasl_mechanism is not None and (self.username is None or not (self.password or self.password_file)):
            raise ValueError(
                "username, and password or password_file, must be set where sasl_mechanism is; one is missing"
            )
        if self.ssl_certfile is None and (self.ssl_keyfile or self.ssl_key_password or self.ssl_key_password_file):
            raise ValueError("ssl_certfile must be set where ssl_keyfile or ssl_key_password is; it is missing")
        return self

    @property
    def principal(self) -> str:
        """How the broker names us in its rights; a certificate's name is the broker's affair."""
        return f"User:{self.username or ('<name in ssl_certfile>' if self.ssl_certfile else 'ANONYMOUS')}"

    def key_secret(self) -> SecretStr | None:
        """The password of our own key, wherever it is; `SecretError` where its file cannot be read."""
        return secret_of("kafka.ssl_key_password", self.ssl_key_password, self.ssl_key_password_file)

    def connection(self) -> dict[str, Any]:
        """The arguments that every client of the cluster is made with; they hold the password in plain.

        Raises:
            SecretError: a file of a secret cannot be read.
        """
        password = secret_of("kafka.password", self.password, self.password_file)
        key_password = self.key_secret()
        return {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "bootstrap_timeout_ms": self.bootstrap_timeout_ms,
            "request_timeout_ms": self.request_timeout_ms,
            "reconnect_backoff_max_ms": 2_000,  # the default, 30 s, keeps a client away long after an outage is over
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": password.get_secret_value() if password else None,
            "ssl_cafile": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
            # With None the client would ask the terminal for the password of an encrypted key, and wait.
            "ssl_password": key_password.get_secret_value() if key_password else "",
        }
