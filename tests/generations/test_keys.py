"""Keys and ids: one spelling a key, and every dimension comes back as it went in."""

from __future__ import annotations

import itertools
import string
import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daydream.generations.keys import KeyCodec, KeyCodecError, gen_id, is_gen_id, stage_fields

ROOT = KeyCodec(stage_fields(root=True))
CHILD = KeyCodec(stage_fields(root=False, dimensions=["temperature"]))

# All of Unicode, lone surrogates included.
texts = st.text(st.characters(exclude_categories=()))


def of_fields(codec: KeyCodec) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(dict.fromkeys(codec.fields, texts))


def encoded(codec: KeyCodec, dims: Mapping[str, str]) -> str:
    return codec.encode_values([dims[field] for field in codec.fields])


@given(of_fields(ROOT))
@example(dict.fromkeys(ROOT.fields, ""))
@example(dict.fromkeys(ROOT.fields, "|%7C%|\n\r\0/\\"))
@example(dict.fromkeys(ROOT.fields, "e\u0301 é \ud83d \u2028 🜁"))
def test_decode_returns_what_encode_was_given(dims: dict[str, str]) -> None:
    """Decoding an encoded key gives the dimensions again, whatever the strings hold."""
    key = encoded(ROOT, dims)
    assert ROOT.decode(key) == dims
    assert key.isprintable() or not any(ord(c) < 32 or ord(c) == 127 for c in key)
    assert len(key.splitlines()) <= 1
    key.encode()


@given(of_fields(CHILD), of_fields(CHILD))
def test_equal_keys_mean_equal_dimensions(one: dict[str, str], other: dict[str, str]) -> None:
    """No two sets of dimensions share a key."""
    assert (encoded(CHILD, one) == encoded(CHILD, other)) == (one == other)


@given(st.text(alphabet="ab|%07Cc\n", max_size=16))
def test_a_key_has_one_spelling(key: str) -> None:
    """Whatever decode accepts, encode writes in the same way."""
    codec = KeyCodec(["left", "right"])
    try:
        dims = codec.decode(key)
    except KeyCodecError:
        return
    assert encoded(codec, dims) == key


@pytest.mark.parametrize("key", ["a", "a|b|c", "a|%7c", "a|%41", "a|%", "a|%FF", "a|x\n"])
def test_a_foreign_key_is_refused(key: str) -> None:
    """A wrong number of fields, needless, lower-case, broken or missing escapes."""
    with pytest.raises(KeyCodecError, match=r"^\[key\] key "):
        KeyCodec(["left", "right"]).decode(key)


GOLDEN = [
    ("draft", "d", ("combo-1", "plain", "sonnet-4", "1"), "combo-1|plain|sonnet-4|1"),
    ("draft", "d", ("combo-1", "Plain", "sonnet-4", "1"), "combo-1|Plain|sonnet-4|1"),
    ("essay", "e", ("d_0123456789abcdef", "a|b", "", "2"), "d_0123456789abcdef|a%7Cb||2"),
    ("evaluation", "v", ("x", "50%\n", "é", "10"), "x|50%25%0A|é|10"),
]


@pytest.mark.parametrize(("stage", "prefix", "values", "key"), GOLDEN)
def test_golden_keys(stage: str, prefix: str, values: tuple[str, ...], key: str) -> None:
    """The spelling of keys is a contract: stores of years depend on it."""
    codec = KeyCodec(stage_fields(root=stage == "draft"))
    assert codec.encode_values(values) == key
    assert tuple(codec.decode(key).values()) == values


GOLDEN_IDS = [
    "d_0fia6rnsl4n0xv3m",
    "d_1mm46csfo6ayswki",
    "e_1nlfffoehdcjzptw",
    "v_1ti8wp51fht7csn3",
]


def test_golden_ids() -> None:
    """So is the id that a key gets."""
    ids = [gen_id(stage=stage, prefix=prefix, key=key) for stage, prefix, _, key in GOLDEN]
    assert ids == GOLDEN_IDS


def test_ids_are_lower_case_names_of_directories() -> None:
    """Names that differ in case only get ids that differ in more."""
    lower, upper = (gen_id(stage="draft", prefix="d", key=key) for key in ("a|b|c|1", "A|B|C|1"))
    assert lower != upper
    for name in (lower, upper):
        assert is_gen_id(name)
        assert set(name[2:]) <= set(string.digits + string.ascii_lowercase)
        assert len(name) == 18


def test_the_stage_is_part_of_the_id() -> None:
    """Equal keys of two stages are two generations, even under one prefix."""
    ids = {gen_id(stage=stage, prefix="x", key="a|b|c|1") for stage in ("essay", "revision")}
    assert len(ids) == 2


@pytest.mark.parametrize("name", ["", "-a", "_a", "a/b", "a.b", "a b", "a\n", "x" * 65, "é"])
def test_what_cannot_name_a_directory_is_no_id(name: str) -> None:
    """Ids of an imported store are free, within what every file system holds."""
    assert not is_gen_id(name)


def test_a_million_ids() -> None:
    """No two rows share an id, and no id has a second spelling on any file system.

    The rows are those of a design whose names differ in as little as one letter's case, blanks,
    and the characters of the keys themselves.
    """
    names = ["a", "A", "a ", "a|b", "a%7Cb", "\u00e9", "e\u0301", "a/b", "ä", "Ä"]
    codec = KeyCodec(stage_fields(root=True))
    ids = set()
    keys = set()
    for combo, template, model, replicate in itertools.product(
        (f"{name}{number}" for name in names for number in range(100)), names, names, range(10)
    ):
        key = codec.encode_values((combo, template, model, str(replicate)))
        keys.add(key)
        ids.add(gen_id(stage="draft", prefix="d", key=key))
    assert len(keys) == len(ids) == 1_000_000
    assert all(name == unicodedata.normalize("NFC", name).casefold() for name in ids)
