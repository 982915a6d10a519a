"""Secrets of files: what is read, what is refused, and that no refusal shows what the file holds."""

import os

import pytest
from pydantic import SecretStr

from stream.errors import SecretError
from stream.secrets import require_one_source, secret_of


@pytest.mark.parametrize("content", ["geheim-4711", "geheim-4711\n", "geheim-4711\r\n"])
def test_a_file_holds_one_line(content, tmp_path):
    file = tmp_path / "password"
    file.write_bytes(content.encode())
    found = secret_of("kafka.password", None, file)
    assert found is not None
    assert found.get_secret_value() == "geheim-4711"
    assert "geheim" not in repr(found)


def test_blanks_belong_to_the_secret(tmp_path):
    file = tmp_path / "password"
    file.write_text(" two words \n")
    assert secret_of("kafka.password", None, file) == SecretStr(" two words ")


@pytest.mark.parametrize("content", [b"", b"\n", b"geheim\ngeheim\n", b"\xffgeheim", b"geheim\0\xfe"])
def test_what_is_not_one_line_of_text_is_refused_without_showing_it(content, tmp_path):
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(SecretError) as caught:
        secret_of("kafka.password", None, file)
    assert str(caught.value) == f"kafka.password_file must hold one line of text (UTF-8); {file} does not"
    assert caught.value.__cause__ is None
    assert "geheim" not in repr(caught.value.__context__)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SecretError, match=r"kafka.password_file must be a readable file; got .* \(Is a directory\)"):
        secret_of("kafka.password", None, tmp_path)
    with pytest.raises(SecretError, match="No such file or directory"):
        secret_of("kafka.password", None, tmp_path / "none")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_we_may_not_read_is_named(tmp_path):
    file = tmp_path / "password"
    file.write_text("geheim")
    file.chmod(0)
    with pytest.raises(SecretError, match="Permission denied"):
        secret_of("kafka.password", None, file)


def test_the_file_is_read_each_time(tmp_path):
    file = tmp_path / "password"
    file.write_text("old")
    assert secret_of("p", None, file) == SecretStr("old")
    file.write_text("new")
    assert secret_of("p", None, file) == SecretStr("new")


def test_there_is_one_source_or_none(tmp_path):
    require_one_source("password", None, None)
    require_one_source("password", None, tmp_path)
    require_one_source("password", SecretStr("x"), None)
    with pytest.raises(ValueError, match="password and password_file must not both be set"):
        require_one_source("password", SecretStr("x"), tmp_path)
    assert secret_of("password", None, None) is None
