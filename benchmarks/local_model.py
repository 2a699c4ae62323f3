"""The bundled model: tokens a second through the workflow, against xllamacpp alone.

    uv run python benchmarks/local_model.py

The same requests, in one thread, by the same number of threads of the model: once by the library's
jobs in a run of Snakemake, and once by xllamacpp's own server object in a bare loop.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from workload import ROOT, experiment, run

sys.path.insert(0, str(ROOT / "scripts"))

TEXTS = 20
TOKENS = 100


def main() -> None:
    """Print the tokens a second of both, and the ratio."""
    with tempfile.TemporaryDirectory() as name:
        project = experiment(Path(name, "ours"), drafts=TEXTS)
        project.config["providers"]["echo"] = {"type": "local"}
        project.config["stages"]["draft"]["sampling"] = {
            "max_tokens": TOKENS,
            "extra_body": {"grammar": "root ::= [a-z ]+"},
        }
        # Every answer is cut at max_tokens, so that each has as many tokens; none need be parsed.
        project.save()
        run(project.dir, "--cores", "1", "membership")
        begin = time.perf_counter()
        run(project.dir, "--cores", "1", "drafts", check=False)
        elapsed = time.perf_counter() - begin
        entries = [
            json.loads(path.read_text())
            for path in project.path("data/gens").glob("*/*/responses/*.json")
        ]
    tokens = sum(entry["response"]["usage"]["completion_tokens"] for entry in entries)
    calls = sum(entry["duration_s"] for entry in entries)

    from daydream.llm.providers.local import LocalProvider  # noqa: PLC0415

    provider = LocalProvider("local", base_dir=Path())
    server = provider._load(provider._find_model())
    bodies = [{**entry["request"], "cache_prompt": False} for entry in entries]
    server.handle_chat_completions(bodies[0])
    begin = time.perf_counter()
    bare_tokens = sum(
        server.handle_chat_completions(body)["usage"]["completion_tokens"] for body in bodies
    )
    bare = bare_tokens / (time.perf_counter() - begin)
    ours, whole = tokens / calls, tokens / elapsed
    print(f"{len(entries)} calls of {TOKENS} tokens")
    print(f"xllamacpp alone         {bare:>7.1f} tokens/s")
    print(f"the workflow's calls    {ours:>7.1f} tokens/s  {ours / bare:.2f}")
    print(f"with Snakemake's start  {whole:>7.1f} tokens/s  {whole / bare:.2f}")


if __name__ == "__main__":
    main()
