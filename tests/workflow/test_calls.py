"""The table of calls: one row a generation, with what its answer took."""

from __future__ import annotations

import csv
import json
import re

from daydream.reports.calls import COLUMNS
from support.project import ROOT, Project

TABLE = "data/cohorts/c1/reports/parsing/calls.csv"


def rows(project: Project) -> list[dict[str, str]]:
    with project.path(TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_a_generation_whether_it_is_answered_or_not(project: Project) -> None:
    """In a partial run the others have no mode; a copy has no tokens; the slice is said."""
    project.config["where"] = {"essay_template": ["grow", "same"], "combo_id": "pair"}
    project.save()
    project.snakemake("drafts")
    project.snakemake(TABLE, "--config", "partial=true")
    found = rows(project)
    assert list(found[0]) == list(COLUMNS)
    assert [(row["stage"], row["mode"]) for row in found] == [
        ("draft", "llm"),
        *[("essay", "")] * 2,
        *[("evaluation", "")] * 2,
    ]
    assert all('"combo_id"' in row["slice"] for row in found)

    project.snakemake(TABLE)
    found = rows(project)
    assert {row["mode"] for row in found} == {"llm", "copy"}
    copy = next(row for row in found if row["mode"] == "copy")
    assert (copy["template_id"], copy["prompt_tokens"], copy["reused"]) == ("same", "", "")
    answers = [row for row in found if row["mode"] == "llm"]
    assert all(row["attempts"] == "1" and row["reused"] == "false" for row in answers)
    assert all(float(row["duration_s"]) >= 0 for row in answers)


def test_tokens_and_cost_are_those_of_the_record(project: Project) -> None:
    """The cost is by the catalog of today; what the provider did not count stays empty."""
    project.snakemake("drafts")
    for path in project.path("data/gens/draft").glob("*/metadata.json"):
        known = json.loads(path.read_text())
        usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
        path.write_text(json.dumps({**known, "usage": usage, "reused": True}))
    project.write(
        "data/1_raw/llm_models.csv",
        "id,model,provider,usd_per_mtok_in,usd_per_mtok_out\nm1,echo-1,echo,10000,20000\n",
    )
    project.snakemake(TABLE, "--config", "partial=true")
    first, *_, last = rows(project)
    names = ("prompt_tokens", "completion_tokens", "cost_usd", "reused")
    assert [first[name] for name in names] == ["12", "3", "0.18", "true"]
    assert [last[name] for name in names] == [""] * 4


def test_texts_edited_by_hand_are_named(project: Project) -> None:
    """By phase, for each generation of its own; also where the edit makes something stale."""
    project.snakemake("drafts")
    first, second = sorted(path.name for path in project.path("data/gens/draft").iterdir())
    project.write(f"data/gens/draft/{first}/prompt.txt", "Mine")
    project.write(f"data/gens/draft/{first}/parsed.txt", "Mine, too")
    project.snakemake(TABLE, "--config", "partial=true")
    found = {row["gen_id"]: row["edited"] for row in rows(project)}
    assert found.pop(first) == "prompt parsed"
    assert found[second] == ""
    assert set(found.values()) == {""}


def test_a_damaged_record_is_one_line(project: Project) -> None:
    """And says which file it is."""
    project.snakemake("drafts")
    (metadata,) = list(project.path("data/gens/draft").glob("*/metadata.json"))[:1]
    metadata.write_text("{")
    output = project.snakemake(TABLE, "--config", "partial=true", code=1)
    assert "metadata.json: is not JSON" in output
    assert "Traceback" not in output


def test_a_function_tells_what_its_calls_cost(project: Project) -> None:
    """As the documentation has it; of a text alone the price is unknown."""
    assert "price unknown" in project.snakemake("drafts")
    text = (ROOT / "config/README.md").read_text()
    (shown,) = re.findall(r"```python\n(def complete\(body\):\n.*?)```", text, re.DOTALL)
    project.write("echo.py", shown)
    project.edit("data/1_raw/templates/draft/plain.txt", "Join", "Now join")
    assert "This run: 2 calls, 400 tokens, 0.0008 USD" in project.snakemake("drafts")
    project.write("echo.py", shown.replace(', "cost": 0.0004', ""))
    project.edit("data/1_raw/llm_models.csv", "specialization", "usd_per_mtok_in,usd_per_mtok_out")
    project.edit("data/1_raw/llm_models.csv", "general", "10,100")
    project.edit("data/1_raw/templates/draft/plain.txt", "Now join", "Then join")
    assert "This run: 2 calls, 400 tokens, 0.0184 USD" in project.snakemake("drafts")
