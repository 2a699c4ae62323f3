"""Where things are: the directory of a generation, `data/gens/<stage>/<gen_id>/`, and of cohorts.

prompt.txt               the text that is sent
raw.txt                  the text that came back, exactly
metadata.json            what is known of the answer in raw.txt
parsed.txt               what the parser made of it
provenance.json          what each of these texts was made of, as digests
responses/<sha256>.json  the journal: every answer that was paid for, by the hash of its request
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daydream.errors import StoreError
from daydream.files import parse_json, read_bytes

GENS = "data/gens"


RESPONSES = "responses"


OUTPUTS = ("prompt.txt", "raw.txt", "metadata.json", "parsed.txt")


def generation_file(stage: str, gen_id: str, name: str) -> str:
    """Return the path of a generation's file, relative to the working directory."""
    return f"{GENS}/{stage}/{gen_id}/{name}"


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the object in a JSON file of the store.

    Raises:
        StoreError: the file is missing, or holds no JSON object.
    """
    try:
        value = parse_json(read_bytes(path))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); make it again") from error
    except ValueError as error:
        raise StoreError(f"{path}: is not JSON ({error}); restore it, or delete it") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path}: holds no JSON object; restore it, or delete it")
    return value


COHORTS = Path("data/cohorts")
