"""Secrets that a setting holds itself, or that a file holds: one line of text, such as a mounted secret."""

from pathlib import Path

from pydantic import SecretStr

from stream.errors import SecretError


def require_one_source(name: str, value: SecretStr | None, file: Path | None) -> None:
    """Raises ValueError, as a settings' validator must, where a secret is set both itself and by its file.

    >>> require_one_source("password", SecretStr("x"), Path("/run/secrets/kafka"))
    Traceback (most recent call last):
        ...
    ValueError: password and password_file must not both be set; got both
    """
    if value is not None and file is not None:
        raise ValueError(f"{name} and {name}_file must not both be set; got both")


def secret_of(name: str, value: SecretStr | None, file: Path | None) -> SecretStr | None:
    """The secret, wherever it is; None where it is not set.

    A file is read at each call and not when the settings are: so the settings can travel between processes without
    their secrets, and a new secret in the file is used by the next connection.

    Args:
        name: the full name of the setting, for errors.
        value: the setting itself.
        file: the file that is named by the setting `<name>_file`.

    Raises:
        SecretError: the file cannot be read, or does not hold one line of text; the message never shows what it holds.

    >>> secret_of("kafka.password", SecretStr("x"), None)
    SecretStr('**********')
    >>> secret_of("kafka.password", None, Path("/nowhere"))
    Traceback (most recent call last):
        ...
    stream.errors.SecretError: kafka.password_file must be a readable file; got /nowhere (No such file or directory)
    """
    return value if file is None else _read(f"{name}_file", file)


def _read(key: str, file: Path) -> SecretStr:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SecretError(f"{key} must be a readable file; got {file} ({error.strerror})") from None
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        lines = []  # the error itself would show the content
    if len(lines) != 1 or not lines[0]:
        raise SecretError(f"{key} must hold one line of text (UTF-8); {file} does not")
    return SecretStr(lines[0])
