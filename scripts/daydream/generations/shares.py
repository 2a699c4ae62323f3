"""Shards: which part of a run makes which generation.

A shard is a part of the first stage's generations, with all their descendants: so no two shards
make the same file, and none waits for another. They are dealt out in the order of a hash of their
ids, the same number to each shard, whatever the order of the design. They are numbered from 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from daydream.generations.row import Generation


def shards_of(generations: Iterable[Generation], shards: int) -> dict[str, int]:
    """Return the shard of each generation by its id; parents stand before their children."""
    rows = list(generations)
    roots = sorted((row.gen_id for row in rows if not row.parent_gen_id), key=_digest)
    found = {name: place % shards + 1 for place, name in enumerate(roots)}
    for row in rows:
        if row.parent_gen_id:
            found[row.gen_id] = found[row.parent_gen_id]
    return found


def _digest(gen_id: str) -> bytes:
    return hashlib.blake2b(gen_id.encode(), digest_size=8).digest()
