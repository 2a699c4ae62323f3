"""The most tokens that a call can take. They count against the budget until the answer arrives.

Every token stands for at least one byte, so a prompt has at most as many tokens as its messages
have bytes, plus a few that a chat template puts around each message. Only the settings limit an
answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from daydream.llm.bodies import CONFIG, MOST
from daydream.llm.request import Request
from daydream.llm.usage import Usage, count_of

# Tokens of a chat template, around each message and around all of them.
TOKENS_PER_MESSAGE = 32
# The length that is assumed for the answer to a call without a limit.
DEFAULT_MAX_TOKENS = 4096
# The fields that bound an answer; where several are set, the largest may be the one that counts.
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# Fields with a bound of reasoning, which a provider may count on top of the answer's.
REASONING = (("reasoning", "max_tokens"), ("thinking", "budget_tokens"))
# How many answers one request asks for.
ANSWERS = ("n", "best_of")


def most_usage(request: Request) -> Usage:
    """Return the most that a call can use.

    An answer without a limit is assumed to have `DEFAULT_MAX_TOKENS`. A run with a budget checks
    `answer_limit` before.
    """
    body = request.body()
    sent = len(json.dumps(body, ensure_ascii=False).encode())
    prompt = sent + TOKENS_PER_MESSAGE * (len(request.asked) + 1)
    return Usage(prompt=prompt, completion=answer_limit(body) or DEFAULT_MAX_TOKENS)


def answer_limit(body: Mapping[str, object]) -> int | None:
    """Return the most tokens that the answers to a request can have; None if nothing bounds them.

    `body` is what is sent, or the sampling settings that become a part of it. A field that raises
    what is billed and is not a whole number bounds nothing: servers read ``"5"`` as 5, and -1 as
    no limit.
    """
    config = body.get(CONFIG)
    if isinstance(config, Mapping):
        most, number = config.get(MOST), config.get("candidateCount")
        body = {**body, "max_output_tokens": most, "n": number}
    limits = [body[name] for name in LIMITS if body.get(name) is not None]
    groups = [(body.get(group), name) for group, name in REASONING]
    raised = [group.get(name) or 0 for group, name in groups if isinstance(group, Mapping)]
    numbers = [body.get(name) or 1 for name in ANSWERS]
    counts = [[count_of(value) for value in values] for values in (limits, raised, numbers)]
    if not limits or not all(counts[0]) or any(None in found for found in counts):
        return None
    most, reasoning, answers = ([count or 0 for count in found] for found in counts)
    return (max(most) + sum(reasoning)) * max(answers)
