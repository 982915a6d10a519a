"""The first requests of a connection that asks who we are, spoken directly so that each answer can be told apart."""

import socket
import struct
from collections.abc import Mapping
from typing import Any

from kafka.errors import KafkaError
from kafka.net.sasl import get_sasl_mechanism

ILLEGAL_SASL_STATE = 34  # the answer of a port that asks for no SASL
_HANDSHAKE, _HANDSHAKE_VERSION = 17, 1
_AUTHENTICATE, _AUTHENTICATE_VERSION = 36, 0
_US = b"streambandit"
_LONGEST = 10_000  # bytes of an answer; what claims more is not Kafka's protocol


def sasl_handshake(connection: socket.socket, mechanism: str) -> tuple[int, list[str]] | None:
    """The error code and the mechanisms on offer; None where the answer is not one of Kafka's protocol."""
    name = mechanism.encode()
    try:
        answer = _ask(connection, _HANDSHAKE, _HANDSHAKE_VERSION, struct.pack(">h", len(name)) + name)
        code, count = struct.unpack_from(">hi", answer)
        mechanisms, at = [], 6
        for _ in range(count):
            (size,) = struct.unpack_from(">h", answer, at)
            mechanisms.append(answer[at + 2 : at + 2 + size].decode())
            at += 2 + size
    except (OSError, EOFError, struct.error, UnicodeDecodeError):
        return None
    return code, mechanisms


def is_accepted(connection: socket.socket, arguments: Mapping[str, Any]) -> bool:
    """Whether the broker takes our name and password, after a handshake that it agreed to.

    Args:
        connection: where the handshake was made.
        arguments: those of a client (`KafkaSettings.connection`).
    """
    mechanism = get_sasl_mechanism(arguments["sasl_mechanism"])(**arguments)
    try:
        while not mechanism.is_done():
            token = mechanism.auth_bytes()
            answer = _ask(connection, _AUTHENTICATE, _AUTHENTICATE_VERSION, struct.pack(">i", len(token)) + token)
            code, message = struct.unpack_from(">hh", answer)
            if code:
                return False
            mechanism.receive(answer[4 + max(message, 0) + 4 :])
    except (OSError, EOFError, struct.error, KafkaError, ValueError):
        return False
    return bool(mechanism.is_authenticated())


def _ask(connection: socket.socket, kind: int, version: int, body: bytes) -> bytes:
    """Sends one request and returns its answer without the header."""
    request = struct.pack(">hhih", kind, version, 1, len(_US)) + _US + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    if not 4 <= length <= _LONGEST:
        raise EOFError
    return _exactly(connection, length)[4:]


def _exactly(connection: socket.socket, size: int) -> bytes:
    taken = b""
    while len(taken) < size:
        part = connection.recv(size - len(taken))
        if not part:
            raise EOFError
        taken += part
    return taken
