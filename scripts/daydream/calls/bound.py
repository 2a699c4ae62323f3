"""The most tokens that a call can take: a budget is kept by them until the answer tells.

A token of any tokenizer in use is a byte at the least, so that the bytes of all that is sent bound
the tokens of the prompt; around each message a chat template has a few more. An answer is bounded
by the settings alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from daydream.llm.request import Request
from daydream.llm.usage import Usage, count_of

# Of a chat template, around each message and around them all.
TOKENS_PER_MESSAGE = 32
# What a call without a limit may answer, where it has to be guessed.
DEFAULT_MAX_TOKENS = 4096
# The fields that bound an answer; where several are set, the largest may be the one that counts.
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# Fields with a bound of reasoning, which a provider may count on top of the answer's.
REASONING = (("reasoning", "max_tokens"), ("thinking", "budget_tokens"))
# How many answers one request asks for.
ANSWERS = ("n", "best_of")


def most_usage(request: Request) -> Usage:
    """Return the usage of a call, at the most.

    Without a limit the answer is taken to be of `DEFAULT_MAX_TOKENS`; who has to keep a budget asks
    `answer_limit` beforehand.
    """
    body = request.body()
    sent = len(json.dumps(body, ensure_ascii=False).encode())
    prompt = sent + TOKENS_PER_MESSAGE * (len(request.messages) + 1)
    return Usage(prompt=prompt, completion=answer_limit(body) or DEFAULT_MAX_TOKENS)


def answer_limit(body: Mapping[str, object]) -> int | None:
    """Return the most tokens that the answers to a request can have; None if nothing bounds them.

    `body` is what is sent, or the sampling settings that become a part of it. A field that raises
    what is billed and is not a whole number bounds nothing: servers read ``"5"`` as 5, and -1 as
    no limit.
    """
    limits = [body[name] for name in LIMITS if body.get(name) is not None]
    groups = [(body.get(group), name) for group, name in REASONING]
    raised = [group.get(name) or 0 for group, name in groups if isinstance(group, Mapping)]
    numbers = [body.get(name) or 1 for name in ANSWERS]
    counts = [[count_of(value) for value in values] for values in (limits, raised, numbers)]
    if not limits or not all(counts[0]) or any(None in found for found in counts):
        return None
    most, reasoning, answers = ([count or 0 for count in found] for found in counts)
    return (max(most) + sum(reasoning)) * max(answers)
