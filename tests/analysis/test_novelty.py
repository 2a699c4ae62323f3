"""Novelty and diversity of texts, against second implementations by sets of characters."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daydream.analysis.diversity import diversity
from daydream.analysis.ngrams import (
    COPIED,
    compression,
    distinct,
    effective_number,
    jaccard,
    profile,
    runs,
    share_in,
    shares_in_others,
    similarities,
)
from daydream.analysis.novelty import Texts, read_texts

WORDS = [
    *("tide", "loom", "fog", "clock", "salt", "ember"),
    *("hollow", "river", "stone", "lantern"),
]


def story(seed: int, words: int = 60) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


def covered(text: str, *sources: str, n: int = COPIED) -> float:
    """Return the share of characters in runs that a source has, by comparing strings."""
    own, others = plain(text), [plain(source) for source in sources]
    marks = [False] * len(own)
    for start in range(len(own) - n + 1):
        if any(own[start : start + n] in other for other in others):
            marks[start : start + n] = [True] * n
    return sum(marks) / len(marks)


@pytest.mark.parametrize("seed", range(5))
def test_what_stands_in_a_source(seed: int) -> None:
    """Whole runs count, wherever they stand, whatever their case and white space."""
    source = story(seed)
    text = f"{story(seed + 100, 20)} {source[40:130].upper()}\n\n  {story(seed + 200, 20)}"
    found = share_in(runs(text, COPIED), distinct(runs(source, COPIED)))
    assert found == pytest.approx(covered(text, source))
    assert 0.2 < found < 0.6


def test_the_ends_of_the_share() -> None:
    """A copy is all of its source, another text nothing of it, a short one has no runs."""
    source = distinct(runs(story(1), COPIED))
    assert share_in(runs(story(1), COPIED), source) == 1
    assert (
        share_in(
            runs("日本語の文章は空白を持たないので文字の並びで比べるほかはない", COPIED), source
        )
        == 0
    )
    assert math.isnan(share_in(runs("short", COPIED), source))
    assert share_in(runs(story(1), COPIED), source[:0]) == 0


def test_what_siblings_share() -> None:
    """Each is compared with all the others, and not with itself, however often it repeats."""
    phrase = "the lantern went out over the salt river"
    texts = [f"{story(1)} {phrase}", f"{phrase} {story(2)} {phrase}", f"{story(3)} {story(3)}"]
    found = shares_in_others([runs(text, COPIED) for text in texts])
    for place, share in enumerate(found):
        others = [text for number, text in enumerate(texts) if number != place]
        assert share == pytest.approx(covered(texts[place], *others)), place
    assert found[0] > 0
    assert shares_in_others([]) == []


def test_how_alike_two_texts_are() -> None:
    """Jaccard's index of the sets, cosine of the counts."""
    one, other = story(5), f"{story(5, 50)} {story(6, 15)}"
    counts = [Counter(text[at : at + 5] for at in range(len(text) - 4)) for text in (one, other)]
    sets = [set(each) for each in counts]
    assert jaccard(profile(one), profile(other)) == pytest.approx(
        len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    )
    dot = sum(counts[0][run] * counts[1][run] for run in sets[0])
    norms = [math.sqrt(sum(number**2 for number in each.values())) for each in counts]
    cosines = similarities([profile(one), profile(other)])
    assert cosines[0, 1] == pytest.approx(dot / math.prod(norms), abs=0.01)
    assert cosines[0, 0] == 1


def test_the_effective_number_of_texts() -> None:
    """Known ends, groups of copies, and the entropy of a circulant in closed form."""
    assert effective_number(np.ones((5, 5))) == pytest.approx(1)
    assert effective_number(np.eye(5)) == pytest.approx(5)
    assert effective_number(np.kron(np.eye(3), np.ones((2, 2)))) == pytest.approx(3)
    share = 0.4
    matrix = np.full((4, 4), share) + np.eye(4) * (1 - share)
    values = np.array([1 + 3 * share, *[1 - share] * 3]) / 4
    assert effective_number(matrix) == pytest.approx(math.exp(-(values * np.log(values)).sum()))
    assert math.isnan(effective_number(np.zeros((0, 0))))


def test_compression_tells_repetition() -> None:
    """What repeats itself packs better; an empty text has none."""
    assert compression("salt and fog " * 50) < 0.2 < compression(story(1, 60))
    assert math.isnan(compression(""))


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    """Return three combos × two templates × two replicates; template b nearly copies itself."""
    rows = []
    for combo in range(3):
        for template in "ab":
            for replicate in "12":
                seed = combo * 100 + (int(replicate) * 7 if template == "a" else 50)
                text = story(seed) + (" once more" if replicate == "2" else "")
                name = f"{combo}{template}{replicate}"
                (tmp_path / f"{name}.txt").write_text(text)
                (tmp_path / f"{name}.prompt").write_text(f"Write of this: {text[:100]}")
                rows.append((f"d_{name}", f"c{combo}", template, replicate, name))
    table = pd.DataFrame(
        rows, columns=["gen_id", "combo_id", "draft_template", "draft_replicate", "n"]
    )
    table["stage"], table["parent_gen_id"], table["draft_llm"] = "draft", "", "m"
    table["mode"], table["parent_file"], table["slice"] = "llm", "", ""
    table["file"] = [str(tmp_path / f"{n}.txt") for n in table["n"]]
    table["prompt_file"] = [str(tmp_path / f"{n}.prompt") for n in table["n"]]
    order = ["stage", "gen_id", "parent_gen_id", "combo_id", "draft_template", "draft_llm"]
    order += ["draft_replicate", "mode", "file", "prompt_file", "parent_file", "slice"]
    table[order].to_csv(tmp_path / "texts.csv", index=False)
    return read_texts(str(tmp_path / "texts.csv"))


def test_near_duplicates_are_found(texts: Texts) -> None:
    """The replicates of template b, and no others."""
    table = texts.novelty.set_index("gen_id")
    near = table["near_duplicates"].astype(int)
    assert near[near > 0].index.tolist() == [f"d_{c}b{r}" for c in range(3) for r in "12"]
    assert table["nearest"]["d_1b1"] == "d_1b2"
    one, other = (Path(texts.rows["file"][place]).read_text() for place in (2, 3))
    sets = [{text[at : at + 5] for at in range(len(text) - 4)} for text in (one, other)]
    expected = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert float(table["nearest_similarity"]["d_0b1"]) == pytest.approx(expected, abs=0.002)
    prompts = [Path(file).read_text() for file in texts.rows["prompt_file"]]
    files = [Path(file).read_text() for file in texts.rows["file"]]
    shares = [covered(text, prompt) for text, prompt in zip(files, prompts, strict=True)]
    assert table["prompt_share"].tolist() == pytest.approx(shares)


def test_diversity_is_within_combos(texts: Texts) -> None:
    """Two texts of template a are nearly two, of b nearly one; the interval is for new combos."""
    table = diversity(texts).set_index(["dimension", "level"])
    a, b = table.loc[("draft_template", "a")], table.loc[("draft_template", "b")]
    assert a["effective"] > 1.3 * b["effective"]
    assert 1 <= b["effective"] < 1.15
    assert (a["combos"], a["texts"], a["texts_per_combo"]) == (3, 6, 2)
    assert a["ci_low"] <= a["effective"] <= a["ci_high"] <= 2
    assert b["near_duplicates"] == 1
    each = []
    for combo in range(3):
        places = [4 * combo, 4 * combo + 1]
        each.append(effective_number(similarities([texts.alike[place] for place in places])))
    assert a["effective"] == pytest.approx(np.mean(each))


def test_copies_are_nobodys_work(texts: Texts, tmp_path: Path) -> None:
    """They have no siblings, are no near-duplicates, and are not counted."""
    rows = pd.read_csv(tmp_path / "texts.csv", keep_default_na=False, dtype=str)
    rows.loc[rows["draft_template"] == "b", "mode"] = "copy"
    rows.to_csv(tmp_path / "texts.csv", index=False)
    read = read_texts(str(tmp_path / "texts.csv"))
    copies = read.novelty[read.novelty["mode"] == "copy"]
    assert copies["sibling_share"].isna().all()
    assert copies["near_duplicates"].isna().all()
    assert "b" not in diversity(read)["level"].tolist()
