"""Looks for secrets and user ids in whatever a run leaves behind, in every form in which they commonly hide."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

LEAST = 6  # a shorter secret is found everywhere by chance


class Leak(NamedTuple):
    """Where a secret was found, and in which form; the secret itself is only named."""

    place: str
    secret: str
    form: str


def forms_of(secret: str) -> dict[str, bytes]:
    """The forms of a secret, each by its name.

    Base64 depends on where a secret lies in what is encoded, so of each of the three places it can have the part is
    taken that does not depend on its neighbours.
    """
    if len(secret) < LEAST:
        raise ValueError(f"a secret must have at least {LEAST} characters to be looked for; got {len(secret)}")
    plain = secret.encode()
    forms = {
        "plain": plain,
        "UTF-16": secret.encode("utf-16-le"),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "URL": quote(secret, safe="").encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "repr": repr(secret)[1:-1].encode(),
        "reversed": plain[::-1],
    }
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + plain)
        start, rest = (0, 2, 3)[shift], (shift + len(plain)) % 3
        stable = inner[start : len(inner) - (4 if rest else 0)]
        forms[f"base64 at {shift}"] = stable
        forms[f"URL base64 at {shift}"] = stable.replace(b"+", b"-").replace(b"/", b"_")
    by_bits = {bits: name for name, bits in reversed(forms.items())}  # forms that look alike count once
    return {name: bits for bits, name in reversed(by_bits.items())}


def scan(places: Iterable[Path], secrets: Mapping[str, str]) -> list[Leak]:
    """What is found in files, and in the files of folders at any depth; names of files count as well.

    Args:
        places: files and folders.
        secrets: what to look for, by what it is to be called.
    """
    looked_for = [(name, form, bits) for name, value in secrets.items() for form, bits in forms_of(value).items()]
    return [
        Leak(str(file), name, form)
        for file in _files(places)
        for content in (_content(file),)
        for name, form, bits in looked_for
        if bits in content
    ]


def scan_text(place: str, text: str, secrets: Mapping[str, str]) -> list[Leak]:
    """What is found in a text, such as what a process printed."""
    content = text.encode()
    return [
        Leak(place, name, form)
        for name, value in secrets.items()
        for form, bits in forms_of(value).items()
        if bits in content
    ]


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        found = place.rglob("*") if place.is_dir() else [place]
        yield from (file for file in sorted(found) if file.is_file() and not file.is_symlink())


def _content(file: Path) -> bytes:
    return file.name.encode() + b"\0" + file.read_bytes()
