"""Taking keys out of what servers say."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daydream.llm.redaction import Redaction

KEY = "sk-Test/0123+456789=é"


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_base64_of_a_text_with_the_key_shows_nothing_of_it(before: bytes, after: bytes) -> None:
    """Wherever in the encoded text the key begins, and in both alphabets."""
    key = "sk-test-0123456789"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = Redaction(key).content(encode(before + key.encode() + after))
        assert b"[key]" in shown
        left = shown.replace(b"[key]", b"")
        # At most the digits that the key shares with its neighbours are left, and the padding.
        assert len(left) <= len(encode(before)) + len(encode(after)) + 8


@pytest.mark.parametrize(
    "spelling", [KEY, "sk-Test%2F0123%2B456789%3D%C3%A9", r"sk-Test/0123+456789=\u00e9"]
)
def test_spellings_of_a_key(spelling: str) -> None:
    assert Redaction(KEY).text(f"bad key <{spelling}>!") == "bad key <[key]>!"
    assert Redaction(KEY).content(f"<{spelling}>".encode()) == b"<[key]>"


def test_a_placeholder_is_a_word_like_others_in_answers() -> None:
    """Servers without keys are given one such as "ollama"; only messages are kept free of it."""
    redaction = Redaction("ollama")
    assert redaction.content(b"Use ollama.") == b"Use ollama."
    assert redaction.text("wrong key ollama") == "wrong key [key]"


def test_names_and_passwords_in_urls() -> None:
    shown = Redaction("").text("proxy http://me:secret@host:80/a?b=c@d refused, see https://x/y@z")
    assert shown == "proxy http://[key]@host:80/a?b=c@d refused, see https://x/y@z"


def test_without_a_key_nothing_changes() -> None:
    assert Redaction("").content(b"as it is") == b"as it is"
    assert Redaction("").header("as it is") == "as it is"
