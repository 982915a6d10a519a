"""The scanner finds what is planted, in every form, and nothing where nothing is."""

import base64
import json
import pickle
import struct
from urllib.parse import quote

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.secret_scan import forms_of, scan, scan_text

SECRET = 'p4ss/w"ört+geheim'  # noqa: S105
NAMED = {"password": SECRET}

PLANTED = {
    "plain": SECRET.encode(),
    "UTF-16": SECRET.encode("utf-16-le"),
    "hex": SECRET.encode().hex().encode(),
    "HEX": SECRET.encode().hex().upper().encode(),
    "URL": b"http://x/?p=" + quote(SECRET, safe="").encode(),
    "JSON": json.dumps({"password": SECRET}).encode(),
    "JSON, not escaped": json.dumps({"password": SECRET}, ensure_ascii=False).encode(),
    "repr": repr({"password": SECRET}).encode(),
    "pickle": pickle.dumps({"password": SECRET}),
    "reversed": SECRET.encode()[::-1],
    "binary": b"\x00\xff" + struct.pack("<d", 1.5) + SECRET.encode() + b"\x93" * 9,
}
PLANTED |= {f"base64 after {n}": base64.b64encode(b"x" * n + SECRET.encode() + b"yz") for n in range(7)}
PLANTED |= {f"URL base64 after {n}": base64.urlsafe_b64encode(b"x" * n + SECRET.encode()) for n in range(3)}


@pytest.mark.parametrize("form", PLANTED)
def test_a_planted_secret_is_found_in_every_form(form, tmp_path):
    place = tmp_path / "deep" / "er"
    place.mkdir(parents=True)
    (place / "file.bin").write_bytes(b"something before " + PLANTED[form] + b" and after")
    (tmp_path / "clean").write_text("nothing")
    leaks = scan([tmp_path], NAMED)
    assert {leak.place for leak in leaks} == {str(place / "file.bin")}
    assert {leak.secret for leak in leaks} == {"password"}


def test_it_is_found_in_tensors_in_names_of_files_and_in_text(tmp_path):
    bits = np.frombuffer(b"__" + SECRET.encode(), dtype=np.uint8)
    save_file({"weights": bits.copy()}, tmp_path / "x.safetensors")
    (tmp_path / "user-4711.txt").touch()
    found = scan([tmp_path], NAMED | {"user": "user-4711"})
    assert {(leak.place.rsplit("/", 1)[1], leak.secret) for leak in found} == {
        ("x.safetensors", "password"),
        ("user-4711.txt", "user"),
    }
    assert [leak.form for leak in scan_text("stdout", f"error: {SECRET}", NAMED)] == ["plain"]


def test_nothing_is_found_where_nothing_is(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 100)
    assert scan([tmp_path, tmp_path / "a.bin"], NAMED) == []
    assert scan_text("stdout", "p4ss/w", NAMED) == []


def test_a_leak_does_not_show_the_secret(tmp_path):
    (tmp_path / "x").write_text(SECRET)
    assert SECRET not in repr(scan([tmp_path], NAMED))


def test_what_would_be_found_by_chance_is_refused():
    with pytest.raises(ValueError, match="at least 6 characters"):
        forms_of("admin")
