"""Why a cluster does not answer: kafka-python says the same of a wrong password, a wrong authority and a wrong port.

The first bootstrap address is spoken to directly, step by step: connection, TLS, SASL mechanism, name and password. The
first step that fails is the cause.
"""

import socket
import ssl

from stream.kafka.handshake import ILLEGAL_SASL_STATE, is_accepted, sasl_handshake
from stream.kafka.settings import KafkaSettings

_STEP_S = 2.0
_SLOW = "the broker at the first address lets us in, but the cluster as a whole did not answer in time"


def why_no_answer(settings: KafkaSettings) -> str:
    """The cause as one sentence that names the setting; takes a few seconds at most and never holds a secret."""
    try:
        host, port = _address(settings)
    except ValueError as error:
        return str(error)
    try:
        with socket.create_connection((host, port), timeout=_STEP_S) as plain:
            if not settings.security_protocol.endswith("SSL"):
                return _why_over(plain, settings)
            with _own_tls(settings).wrap_socket(plain, server_hostname=host) as wrapped:
                return _why_over(wrapped, settings)
    except ssl.SSLError as error:
        return _why_no_tls(error, host, settings)
    except ValueError as error:  # our own words, of files
        return str(error)
    except OSError as error:
        return f"a broker must listen at {host}:{port}; the connection failed ({error})"


def _why_no_tls(error: ssl.SSLError, host: str, settings: KafkaSettings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"kafka.ssl_cafile must be that of the authority that signed the broker's certificate for {host!r}; "
            f"got {settings.ssl_cafile} ({error.verify_message})"
        )
    if error.reason and "ALERT" in error.reason:
        return _certificate_refused(settings)
    return f"the port must speak TLS, as kafka.security_protocol {settings.security_protocol} has it; it does not"


def _why_over(connection: socket.socket, settings: KafkaSettings) -> str:
    """The cause, once there is a connection as the settings want it."""
    chosen = settings.sasl_mechanism
    connection.settimeout(_STEP_S)
    answer = sasl_handshake(connection, chosen or "PLAIN")
    if answer is None:
        return _why_silent(settings)
    code, mechanisms = answer
    offered = ", ".join(mechanisms)
    if code == ILLEGAL_SASL_STATE and chosen:
        told = f"the port asks for no SASL, so kafka.security_protocol must be without it; {_got(settings)}"
    elif code == ILLEGAL_SASL_STATE:
        told = _SLOW
    elif chosen is None:
        told = f"the port asks for SASL ({offered}), so kafka.security_protocol must be with it; {_got(settings)}"
    elif chosen not in mechanisms:
        told = f"kafka.sasl_mechanism must be one that the broker offers ({offered}); got {chosen}"
    elif is_accepted(connection, settings.connection()):
        told = _SLOW
    else:
        told = f"kafka.username or its password is wrong; user name {settings.username!r} with {chosen} was refused"
    return told


def _why_silent(settings: KafkaSettings) -> str:
    """The cause where the port does not speak Kafka's protocol with us."""
    if settings.security_protocol.endswith("SSL"):
        return _certificate_refused(settings)
    if _speaks_tls(settings):
        return f"the port speaks TLS, so kafka.security_protocol must be SSL or SASL_SSL; {_got(settings)}"
    return "the port must be one of a Kafka broker; it gave no answer of one"


def _certificate_refused(settings: KafkaSettings) -> str:
    return f"kafka.ssl_certfile must be a certificate that the broker accepts; got {settings.ssl_certfile}"


def _address(settings: KafkaSettings) -> tuple[str, int]:
    first = settings.bootstrap_servers.split(",")[0].strip()
    host, _, port = first.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"kafka.bootstrap_servers must be host:port, separated by commas; got {first!r}")
    return host.strip("[]"), int(port)


def _got(settings: KafkaSettings) -> str:
    return f"got {settings.security_protocol}"


def _own_tls(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if settings.ssl_cafile:
            context.load_verify_locations(settings.ssl_cafile)
    except (OSError, ssl.SSLError):
        raise ValueError(f"kafka.ssl_cafile must be a readable PEM file; got {settings.ssl_cafile}") from None
    try:
        if settings.ssl_certfile:
            password = settings.key_secret()
            # Without a function it would ask the terminal for the password of an encrypted key.
            given = password.get_secret_value() if password else ""
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, lambda: given)
    except (OSError, ssl.SSLError):
        raise ValueError(
            f"kafka.ssl_certfile and kafka.ssl_keyfile must be a readable pair, and kafka.ssl_key_password that of the "
            f"key; got {settings.ssl_certfile} and {settings.ssl_keyfile}"
        ) from None
    return context


def _speaks_tls(settings: KafkaSettings) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent over it
    try:
        with socket.create_connection(_address(settings), timeout=_STEP_S) as plain:
            context.wrap_socket(plain).close()
    except OSError:
        return False
    return True
