"""The expected score from the probabilities of the score's token."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from daydream.reports.expected import expectation
from support.project import Project
from support.provider_server import ProviderServer, Reply, completion


def tokens(*texts: str, **alternatives: float) -> list[dict[str, Any]]:
    """Return tokens; the one that is the first alternative has all of these, as probabilities."""
    top = [{"token": text, "logprob": math.log(p)} for text, p in alternatives.items()]
    first = next(iter(alternatives), None)
    return [
        {"token": text, "logprob": 0.0, "top_logprobs": top if text.strip() == first else []}
        for text in texts
    ]


def expected(found: list[dict[str, Any]], score: float) -> float | None:
    return expectation(found, score, low=0, high=9)


def test_the_mean_of_what_might_have_been_given() -> None:
    """Only alternatives that are scores count, by their own sum."""
    found = tokens("SCORE", ": ", "7", **{"7": 0.6, "8": 0.2, "seven": 0.15, "12": 0.05})
    assert expected(found, 7) == pytest.approx((7 * 0.6 + 8 * 0.2) / 0.8)


def test_the_last_such_token_counts() -> None:
    """As the parser takes the last line; a blank before the digit is part of the token."""
    found = tokens("7", " of 10 lines", "\nSCORE:", " 7", **{"7": 0.5, "6": 0.5})
    assert expected(found, 7) == pytest.approx(6.5)


@pytest.mark.parametrize(
    "texts", [("SCORE: ", "7", ".5"), ("SCORE: ", "1", "7"), ("SCORE: 7",), (), ("7", "0")]
)
def test_a_number_of_several_tokens_is_not_told(texts: tuple[str, ...]) -> None:
    """A part of it says nothing of the whole."""
    assert expected(tokens(*texts, **{"7": 0.5, "6": 0.5}), 7) is None


def test_without_alternatives_it_is_the_score() -> None:
    """The token itself is one."""
    assert expected(tokens("SCORE: ", "7"), 7) == 7


def test_the_score_table_has_it_where_the_stage_asks(project: Project) -> None:
    """And no such column where nobody does."""

    def answer(body: dict[str, Any]) -> Reply:
        text = "SCORE: 7" if body.get("logprobs") else "A text."
        made = completion(text)
        if body.get("logprobs"):
            found = tokens("SCORE: ", "7", **{"7": 0.75, "8": 0.25})
            made["choices"][0]["logprobs"] = json.loads(json.dumps({"content": found}))
        return Reply(body=made)

    with ProviderServer(answer=answer) as server:
        project.serve(server.url)
        sampling = {"extra_body": {"logprobs": True, "top_logprobs": 5}}
        project.config["stages"]["evaluation"]["sampling"] = sampling
        project.save()
        project.snakemake()
        assert {float(row["expected_score"]) for row in project.scores()} == {7.25}
        del project.config["stages"]["evaluation"]["sampling"]
        project.write("data/1_raw/evaluation_templates.csv", "template_id\njudge\n")
        project.save()
        project.snakemake(code=None)
        assert all("expected_score" not in row for row in project.scores())
