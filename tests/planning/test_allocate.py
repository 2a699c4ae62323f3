"""`allocate`: the cheapest design that tells a difference as exactly as wanted."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from daydream.analysis.allocation import Components, Costs, Design, cheapest, half_width
from support.project import Project

STATED = Components(combo=0.1, text=0.4, judge=0.02, residual=0.6, replicate=0.3)


def simulated_error(design: Design, *, seed: int) -> float:
    """Return the standard error of a difference of two levels, from drawn scores alone."""
    rng = np.random.default_rng(seed)
    combos, texts, judges, replicates = design
    runs = 4000
    shape = (runs, 2, combos, texts, judges, replicates)

    def effect(variance: float, *sizes: int) -> np.ndarray:
        return rng.normal(0, variance**0.5, sizes)

    scores = (
        effect(STATED.combo, runs, 2, combos, 1, 1, 1)
        + effect(STATED.text, runs, 2, combos, texts, 1, 1)
        + effect(STATED.judge, runs, 2, 1, 1, judges, 1)
        + effect(STATED.residual, runs, 2, combos, texts, judges, 1)
        + effect(STATED.replicate, *shape)
    )
    means = scores.reshape(runs, 2, -1).mean(axis=2)
    return float((means[:, 0] - means[:, 1]).std())


@pytest.mark.parametrize("design", [Design(6, 1, 2, 1), Design(12, 3, 1, 2), Design(5, 2, 4, 1)])
def test_the_width_is_that_of_drawn_experiments(design: Design) -> None:
    """Within the Monte-Carlo error of 4,000 experiments, which is about 1 %."""
    t = stats.t.ppf(0.975, design.combos - 1)
    assert half_width(STATED, design) == pytest.approx(
        t * simulated_error(design, seed=1), rel=0.04
    )


def test_the_cheapest_is_that_of_all_designs() -> None:
    """Of a brute-force search over every number of combos."""
    costs = Costs(text=0.05, judgement=0.001)
    judges, texts, replicates = (1, 2, 4), (1, 2), (1, 2)
    best = cheapest(STATED, costs, wanted=0.6, judges=judges, texts=texts, replicates=replicates)
    prices = {}
    for combos, *rest in product(range(3, 200), texts, judges, replicates):
        design = Design(combos, *rest)
        if half_width(STATED, design) <= 0.6:
            written = 2 * combos * rest[0]
            prices[design] = written * (0.05 + rest[1] * rest[2] * 0.001)
    expected = min(prices, key=lambda design: prices[design])
    assert tuple(best[0][name] for name in Design._fields) == expected
    assert best[0]["usd"] == pytest.approx(prices[expected])
    assert [row["usd"] for row in best] == sorted(row["usd"] for row in best)


def test_without_costs_the_fewest_calls_come_first() -> None:
    """A text and a judgement are a call each."""
    best = cheapest(STATED, Costs(), wanted=0.6, judges=(1, 2, 4))
    calls = [int(str(row["written"])) + int(str(row["evaluations"])) for row in best]
    assert calls == sorted(calls)
    assert np.isnan(float(str(best[0]["usd"])))


def test_what_no_number_of_combos_reaches() -> None:
    """One judge of many cannot speak for all: its own preference stays."""
    one = Components(judge=1.0, residual=0.1)
    assert cheapest(one, Costs(), wanted=0.5, judges=(1, 2)) == []


def rows(project: Project) -> list[dict[str, str]]:
    with Path(project.path("data/allocate.csv")).open(newline="") as file:
        return list(csv.DictReader(file))


def test_before_the_first_run(project: Project) -> None:
    """Stated variances need no scores; nothing is asked or made."""
    stated = "components={combo: 0.1, text: 0.4, residual: 0.6}"
    output = project.snakemake("allocate", "--config", "half_width=0.5", stated)
    assert "stated components" in output
    assert float(rows(project)[0]["half_width"]) <= 0.5
    assert project.calls() == 0
    output = project.snakemake("allocate", "--config", stated, code=1)
    assert "[allocate] --config: found no half_width; say how exactly" in output
    output = project.snakemake("allocate", "--config", "half_width=0.5", code=1)
    assert "aggregated_scores.csv: is not there, so that no variance is known" in output
    output = project.snakemake("allocate", "--config", "half_width=-1", code=1)
    assert "half_width: found -1" in output


def test_from_the_scores_there_are(project: Project) -> None:
    """The present design is told beside those that are enough."""
    project.write(
        "echo.py",
        "import zlib\n\n"
        "def complete(body):\n"
        "    number = zlib.crc32(body['messages'][-1]['content'].encode()) % 10\n"
        "    text = f'{number}\\nSCORE: {number}'\n"
        "    return {'choices': [{'message': {'content': text}, 'finish_reason': 'stop'}]}\n",
    )
    project.edit("data/1_raw/essay_templates.csv", "same,Same,,,copy", "same,Same,,identity,llm")
    project.snakemake("scores")
    calls = project.calls()
    output = project.snakemake("allocate", "--config", "half_width=2")
    assert project.calls() == calls
    here, *enough = rows(project)
    assert (here["cohort"], here["stage"], here["dimension"]) == (
        "c1",
        "evaluation",
        "essay_template",
    )
    assert (here["at_hand"], here["combos"], here["texts"], here["judges"]) == (
        "yes",
        "2",
        "1",
        "1",
    )
    assert all(float(row["half_width"]) <= 2 for row in enough)
    assert "at hand" in output
