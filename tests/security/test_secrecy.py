"""What is told of URLs in any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserve.secrecy import without_secrets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("redis://:s@h:1/0 is away", "redis://…@h:1/0 is away"),
        ("http://me:s@a, then https://me:t@b/c", "http://…@a, then https://…@b/c"),
        ("http://me:s/1@host", "http://…@host"),
        ("postgresql://h/n?user=me&sslpassword=s&x=1", "postgresql://h/n?user=me&sslpassword=…&x=1"),
        ("http://h/p?a=1", "http://h/p?a=1"),
        ("mail to me@host", "mail to me@host"),
        ("", ""),
    ],
)
def test_what_is_told(text: str, told: str) -> None:
    assert without_secrets(text) == told


WORDS = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="@"), min_size=1)


@given(before=st.text(), password=WORDS, host=st.text("abc.:0123", min_size=1))
def test_no_password_before_a_host_is_told(before: str, password: str, host: str) -> None:
    said = without_secrets(f"{before} http://me:<{password}>@{host}")
    assert f"<{password}>" not in said.removeprefix(before)
    assert said.endswith(f"@{host}")


@given(text=st.text())
def test_it_is_done_once(text: str) -> None:
    assert without_secrets(without_secrets(text)) == without_secrets(text)
