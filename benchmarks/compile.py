"""Compiling a cohort: seconds, memory, and cost a row as the design grows.

    uv run python benchmarks/compile.py

A spec of 10 evaluations an essay and 10 essays a draft is compiled at growing numbers of drafts,
each size in a process of its own: spec and catalogs in, membership.csv and manifest.json out.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SIZES = (100, 1_000, 10_000)


def write_experiment(directory: Path, drafts: int) -> None:
    """Write catalogs and a spec of `drafts` drafts, 10 essays each, 10 evaluations each."""
    raw = directory / "data/1_raw"
    combos = drafts // 10
    (raw / "concepts/descriptions-sentence").mkdir(parents=True)
    (raw / "concepts/descriptions-sentence/tide.txt").write_text("Tide.\n")
    (raw / "concepts_metadata.csv").write_text("concept_id,name\ntide,Tide\n")
    rows = "".join(f"combo-{n:06d},tide,sentence\n" for n in range(combos))
    mappings = directory / "data/combo_mappings.csv"
    mappings.write_text("combo_id,concept_id,description_level\n" + rows)
    levels = {"draft": 5, "essay": 5, "evaluation": 5}
    for stage, count in levels.items():
        (raw / "templates" / stage).mkdir(parents=True)
        names = [f"{stage}-{n}" for n in range(count)]
        (raw / f"{stage}_templates.csv").write_text("\n".join(["template_id", *names, ""]))
        for name in names:
            (raw / "templates" / stage / f"{name}.txt").write_text("x")
    models = "\n".join(f"m{n},m{n},local" for n in range(2))
    (raw / "llm_models.csv").write_text(f"id,model,provider\n{models}\n")
    axes: dict[str, list[str]] = {"combo_id": [f"combo-{n:06d}" for n in range(combos)]}
    for stage, count in levels.items():
        axes[f"{stage}_template"] = [f"{stage}-{n}" for n in range(count)]
        axes[f"{stage}_llm"] = ["m0", "m1"]
    spec = directory / "data/cohorts/big/spec/config.yaml"
    spec.parent.mkdir(parents=True)
    spec.write_text(yaml.safe_dump({"axes": axes}))


def compile_once(directory: Path) -> dict[str, float]:
    """Compile the cohort of `directory` in this process; return rows, seconds and megabytes."""
    import os  # noqa: PLC0415

    sys.path.insert(0, str(ROOT / "scripts"))
    os.chdir(directory)
    from daydream.catalog.loader import load_catalog  # noqa: PLC0415
    from daydream.catalog.prompts import check  # noqa: PLC0415
    from daydream.cohorts.compile import cohort_rows, manifest  # noqa: PLC0415
    from daydream.cohorts.membership import membership_text  # noqa: PLC0415
    from daydream.files import write_json, write_text  # noqa: PLC0415
    from daydream.settings import load_settings  # noqa: PLC0415

    config = {
        "cohorts": ["big"],
        "stages": {
            "draft": {"prefix": "d"},
            "essay": {"prefix": "e", "parent": "draft"},
            "evaluation": {"prefix": "v", "parent": "essay", "scored": True},
        },
        "providers": {"local": {"type": "local"}},
        "default_provider": "local",
    }
    settings = load_settings(config)
    check("", "imports, which cost the same at every size, are not counted")
    begin = time.perf_counter()
    catalog = load_catalog(settings.raw_dir, settings.combo_mappings, list(settings.stages))
    cohort = Path("data/cohorts/big")
    rows = cohort_rows("big", settings=settings, catalog=catalog)
    write_text(cohort / "membership.csv", membership_text(rows, settings.stages))
    write_json(cohort / "manifest.json", manifest("big", rows, settings=settings, catalog=catalog))
    seconds = time.perf_counter() - begin
    counts = json.loads((cohort / "manifest.json").read_text())["generations"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"evaluations": counts["evaluation"], "seconds": seconds, "megabytes": peak}


def main() -> None:
    """Compile each size in a process of its own, and print the costs and their ratio."""
    print(f"{'drafts':>8} {'essays':>8} {'evaluations':>12} {'s':>7} {'µs/row':>8} {'MB':>6} ratio")
    first = 0.0
    for drafts in SIZES:
        with tempfile.TemporaryDirectory() as name:
            write_experiment(Path(name), drafts)
            command = [sys.executable, __file__, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        rows = result["evaluations"]
        cost = 1e6 * result["seconds"] / rows
        first = first or cost
        print(
            f"{drafts:>8,} {drafts * 10:>8,} {rows:>12,.0f} {result['seconds']:>7.2f} "
            f"{cost:>8.2f} {result['megabytes']:>6.0f} {cost / first:>5.2f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(compile_once(Path(sys.argv[1]))))
    else:
        main()
