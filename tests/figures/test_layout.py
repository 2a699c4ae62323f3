"""Names, shortened to the room that there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daydream.figures.layout import elided


@given(st.lists(st.text(max_size=60), max_size=6), st.integers(min_value=10, max_value=40))
def test_shortened_names_fit_in_one_line(names: list[str], letters: int) -> None:
    """And are left alone where they fit as they are."""
    found = elided(names, letters=letters)
    assert len(found) == len(names)
    assert all(len(name) <= letters and name.isprintable() for name in found)
    if all(name.isalpha() and len(name) <= letters for name in names):
        assert found == names


def test_shortened_names_keep_what_tells_them_apart() -> None:
    """Wherever in the name it stands."""
    names = [f"creative-synthesis-{n}-with-recursive-links" for n in ("v1", "v2", "v10")]
    assert elided(names, letters=24) == [
        "creat…sis-v1-with…links",
        "creat…sis-v2-with…links",
        "creat…sis-v10-with…links",
    ]
