"""A provider that caches equal beginnings of prompts by itself, as OpenAI's models do.

An answer to give to a `ProviderServer`:

    cache = PromptCache(latency=0.5)
    with ProviderServer(answer=cache, latency=0.5) as server: ...
    assert cache.read > 0                   # tokens that came from its cache

A beginning of `LEAST` tokens or more is kept, in steps of 128 tokens, once the first answer to it
has begun. A token is four characters.
"""

from __future__ import annotations

import time
from typing import Any

from support.provider_server import Reply, completion, default_answer

LEAST, STEP = 1024, 128


class PromptCache:
    """Answers with `default_answer`, and the usage of a prompt cache."""

    def __init__(self, *, latency: float) -> None:
        self.latency = latency
        self.read = 0
        self._kept: dict[str, float] = {}

    def __call__(self, body: dict[str, Any]) -> Reply:
        """Return the answer, and note what of the prompt came from the cache."""
        prompt = "".join(message["content"] for message in body["messages"])
        now = time.monotonic()
        tokens = len(prompt) // 4
        cached = 0
        for size in range(LEAST, tokens + 1, STEP):
            kept = self._kept.setdefault(prompt[: 4 * size], now + self.latency)
            cached = size if kept <= now else cached
        self.read += cached
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": 5,
            "total_tokens": tokens + 5,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        return Reply(body=completion(default_answer(body), usage=usage))
