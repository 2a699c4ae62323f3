"""Meaning, against loops over single numbers, and against what has a closed form."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from daydream.analysis import meaning
from daydream.analysis.diversity import diversity
from daydream.analysis.meaning import FOUND, Meaning, read_meaning
from daydream.analysis.novelty import Texts, read_texts
from daydream.errors import InputError
from support.project import ROOT

DIMENSIONS = 24


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    pairs = list(zip(one.tolist(), other.tolist(), strict=True))
    norms = [sum(value**2 for value in each) ** 0.5 for each in (one.tolist(), other.tolist())]
    return float(sum(a * b for a, b in pairs) / (norms[0] * norms[1]))


def vendi(vectors: list[np.ndarray]) -> float:
    """Return the Vendi score from the singular values of the vectors, not from their cosines."""
    units = np.array([each / np.linalg.norm(each) for each in vectors], dtype=float)
    shares = np.linalg.svd(units, compute_uv=False) ** 2 / len(vectors)
    shares = shares[shares > 1e-12]
    return float(np.exp(-np.sum(shares * np.log(shares))))


@pytest.fixture
def vectors() -> np.ndarray:
    """Return vectors of any length for 12 drafts and 12 essays; one text has none."""
    found = np.random.default_rng(3).normal(size=(24, DIMENSIONS)).astype(np.float32)
    found *= np.linspace(0.5, 3, 24, dtype=np.float32)[:, None]
    found[5] = np.nan
    return found


def table(directory: Path) -> pd.DataFrame:
    """Return two stages × three combos × two templates × two replicates; two essays are copies."""
    rows = []
    for stage in ("draft", "essay"):
        for number in range(12):
            name = f"{stage[0]}_{number}"
            (directory / f"{name}.txt").write_text(f"{name} of {number}")
            parent = f"d_{11 - number}" if stage == "essay" else ""
            rows.append(
                {
                    "stage": stage,
                    "gen_id": name,
                    "parent_gen_id": parent,
                    "combo_id": f"c{number % 3}",
                    "draft_template": "ab"[number % 2],
                    "draft_llm": "m",
                    "draft_replicate": "1",
                    "mode": "copy" if name in ("e_3", "e_7") else "llm",
                    "file": str(directory / f"{name}.txt"),
                    "prompt_file": str(directory / f"{name}.txt"),
                    "parent_file": str(directory / f"{parent}.txt") if parent else "",
                    "slice": "",
                }
            )
    return pd.DataFrame(rows)


def read(directory: Path, vectors: np.ndarray) -> Texts:
    table(directory).to_csv(directory / "texts.csv", index=False)
    np.save(directory / "embeddings.npy", vectors)
    return read_texts(str(directory / "texts.csv"), str(directory / "embeddings.npy"))


@pytest.mark.parametrize("block", [1, 5, 512])
def test_novelty_is_what_loops_find(
    tmp_path: Path, vectors: np.ndarray, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each text, however the matrix is divided into blocks."""
    monkeypatch.setattr(meaning, "BLOCK", block)
    found = read(tmp_path, vectors).novelty
    rows = table(tmp_path)
    known = [place for place in rows.index if place != 5]
    made = [place for place in known if rows["mode"][place] != "copy"]
    for place in rows.index:
        others = [
            other
            for other in made
            if other != place and rows["stage"][other] == rows["stage"][place]
        ]
        siblings = [other for other in others if rows["combo_id"][other] == rows["combo_id"][place]]
        cosines = {other: cosine(vectors[place], vectors[other]) for other in others}
        row = found.loc[place]
        if place in made:
            best = max(cosines, key=lambda other: cosines[other])
            assert row["nearest_cosine"] == pytest.approx(cosines[best], abs=1e-6)
            assert row["nearest_by_meaning"] == rows["gen_id"][best]
            mean = sum(cosines[other] for other in siblings) / len(siblings)
            assert row["sibling_cosine"] == pytest.approx(mean, abs=1e-6)
        else:
            assert row["nearest_by_meaning"] == ""
            assert row[["nearest_cosine", "sibling_cosine"]].isna().all()
        parent = [n for n in known if rows["gen_id"][n] == rows["parent_gen_id"][place]]
        if parent and place in known:
            expected = cosine(vectors[place], vectors[parent[0]])
            assert row["parent_cosine"] == pytest.approx(expected, abs=1e-6)
        else:
            assert np.isnan(row["parent_cosine"])


def test_diversity_is_what_loops_find(tmp_path: Path, vectors: np.ndarray) -> None:
    """Per combo, and then the mean over those with two texts that have embeddings."""
    texts = read(tmp_path, vectors)
    rows, found = table(tmp_path), diversity(texts)
    for row in found.itertuples():
        part = rows[(rows["stage"] == row.stage) & (rows["mode"] != "copy")].drop(
            5, errors="ignore"
        )
        if row.dimension != "overall":
            part = part[part[str(row.dimension)] == row.level]
        scores, distances = [], []
        for _, group in part.groupby("combo_id"):
            own = [vectors[place] for place in group.index]
            if len(own) < 2:
                continue
            scores.append(vendi(own))
            pairs = [
                1 - cosine(one, other)
                for n, one in enumerate(own)
                for m, other in enumerate(own)
                if n != m
            ]
            distances.append(sum(pairs) / len(pairs))
        assert row.effective_by_meaning == pytest.approx(np.mean(scores), abs=1e-6)
        assert row.cosine_distance == pytest.approx(np.mean(distances), abs=1e-6)


def test_closed_forms(tmp_path: Path) -> None:
    """One meaning: 1 text and no distance; orthogonal ones: as many as there are, at distance 1."""
    same = np.tile(np.arange(1, DIMENSIONS + 1, dtype=np.float32), (24, 1))
    same *= np.linspace(1, 9, 24, dtype=np.float32)[:, None]
    found = read(tmp_path, same)
    overall = diversity(found).query("dimension == 'overall'")
    assert overall["effective_by_meaning"].tolist() == pytest.approx([1, 1], abs=1e-5)
    assert overall["cosine_distance"].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert found.novelty["nearest_cosine"].dropna().tolist() == pytest.approx([1] * 22)
    apart = read(tmp_path, np.eye(24, dtype=np.float32) * 7)
    overall = diversity(apart).query("dimension == 'overall'")
    # Four drafts per combo; of the essays of c0 and c1, one each is a copy.
    assert overall["effective_by_meaning"].tolist() == pytest.approx([4, (3 + 3 + 4) / 3])
    assert overall["cosine_distance"].tolist() == pytest.approx([1, 1])
    assert apart.novelty["sibling_cosine"].dropna().tolist() == pytest.approx([0] * 22, abs=1e-9)


def test_opposites_have_a_negative_cosine() -> None:
    """And the matrix of cosines is still one that has a Vendi score: two directions of one line."""
    found = Meaning(np.array([[2, 0], [-3, 0]], dtype=np.float32)).cosines([0, 1])
    assert found.tolist() == [[1, -1], [-1, 1]]


def test_without_embeddings_the_columns_are_empty(tmp_path: Path, vectors: np.ndarray) -> None:
    """And all other columns are the same."""
    with_them = read(tmp_path, vectors)
    without = read_texts(str(tmp_path / "texts.csv"))
    assert (without.novelty[list(FOUND)].isna() | (without.novelty[list(FOUND)] == "")).all(
        axis=None
    )
    others = [name for name in without.novelty if name not in FOUND]
    pd.testing.assert_frame_equal(without.novelty[others], with_them.novelty[others])
    meant = ["effective_by_meaning", "cosine_distance"]
    one, other = diversity(without), diversity(with_them)
    assert one[meant].isna().all(axis=None)
    pd.testing.assert_frame_equal(one.drop(columns=meant), other.drop(columns=meant))


def test_a_text_alone_is_compared_with_none(tmp_path: Path, vectors: np.ndarray) -> None:
    """Where no other text of its stage has an embedding."""
    vectors[1:] = np.nan
    found = read(tmp_path, vectors).novelty
    assert found[["nearest_cosine", "sibling_cosine", "parent_cosine"]].isna().all(axis=None)


@pytest.mark.parametrize("content", [b"", b"not a matrix", None])
def test_a_matrix_that_is_not_that_of_the_texts(tmp_path: Path, content: bytes | None) -> None:
    """Is named in one line."""
    path = tmp_path / "embeddings.npy"
    np.save(path, np.ones((3, 2), dtype=np.float32))
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"embeddings.npy: .*; delete it and run snakemake again"):
        read_meaning(str(path), 4)


@pytest.mark.parametrize("name", ["novelty", "diversity"])
def test_every_column_is_described(tmp_path: Path, vectors: np.ndarray, name: str) -> None:
    """docs/results.md and the tables of texts name the same columns, in the same order."""
    texts = read(tmp_path, vectors)
    made = list(texts.novelty if name == "novelty" else diversity(texts))
    section = (ROOT / "docs/results.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    named = [found for cell in cells for found in re.findall(r"`([^`]+)`", cell)]
    recipe = [column for column in made if re.fullmatch("draft_.*", column)]
    assert [column for column in made if column not in recipe] == [
        column for column in named if column != "<stage>_…"
    ]
