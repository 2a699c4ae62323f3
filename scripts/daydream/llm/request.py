"""A model call as data: what is asked, what came back, and who answers.

A `Request` holds everything that decides an answer. Its `sha256` is the name under which the answer
is kept, so two requests are equal if and only if their hashes are. A `Response` holds a whole
answer as the provider sent it, such as a chat completion, and what is known about the call. `text`,
`finish_reason`, `usage` and `model` are read from the answer and are not stored again. A `Provider`
returns the response to a request.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from daydream.errors import CallError
from daydream.llm.answers import completion_of
from daydream.llm.bodies import (
    CONFIG,
    MOST,
    asked_in,
    most_tokens_in,
    settings_in,
    without_cache_points,
)
from daydream.llm.usage import Usage, read_usage

# Of a prompt, if nothing better is known.
CHARACTERS_PER_TOKEN = 4
ASK_AGAIN = "ask again with --config refresh=true and a `where` that selects it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One model call.

    `provider` is its name in the settings; `model` is the provider's own name for the model.
    `sampling` holds the sampling settings that are set, and `extra_body` any further fields, all as
    the API has them; an API without `messages` has what is asked in `extra_body`. `sample` counts
    deliberate repetitions of the same request.

    `prefix` is the beginning of the prompt that other requests share and the provider may keep in
    its cache, after any system prompt; None if there is none. It decides how
    requests are sent, not what they are.

    Raises:
        CallError: the request cannot be sent or kept: it is not JSON, or has a lone surrogate.
    """

    provider: str
    model: str
    messages: tuple[Mapping[str, Any], ...] = ()
    sampling: Mapping[str, object] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    sample: int = 0
    prefix: str | None = field(default=None, repr=False, compare=False)
    sha256: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", self._digest())

    @classmethod
    def of_body(cls, body: Mapping[str, Any], *, provider: str, sample: int) -> Request:
        """Return the request that sends a body, with all its settings as `sampling`.

        Raises:
            KeyError: the body has no model, or neither messages nor contents.
        """
        settings = dict(body)
        model = settings.pop("model")
        messages = () if "contents" in settings else tuple(settings.pop("messages"))
        return cls(
            provider=provider, model=model, messages=messages, sampling=settings, sample=sample
        )

    def body(self) -> dict[str, Any]:
        """Return the JSON object that is sent."""
        messages = [dict(message) for message in self.messages]
        return {
            "model": self.model,
            **({"messages": messages} if messages else {}),
            **self.sampling,
            **self.extra_body,
        }

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """The role and the text of each message, the system prompt first."""
        return tuple(asked_in(self.body()))

    @property
    def beginning(self) -> str:
        """The digest of the beginning that other requests share; empty if there is none.

        A system prompt comes before the prompt.
        """
        if self.prefix is None:
            return ""
        before = [text for role, text in self.asked if role == "system"]
        said = _canonical_json([self.provider, self.model, *before, self.prefix])
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def settings(self) -> dict[str, Any]:
        """What the body has besides the model and what is asked."""
        return settings_in(self.body())

    @property
    def max_tokens(self) -> int | None:
        """The most tokens that the answer may have; None if it is not limited."""
        return most_tokens_in(self.body())

    def with_max_tokens(self, tokens: int) -> Request:
        """Return the request with another limit on its answer."""
        config = self.extra_body.get(CONFIG)
        if isinstance(config, Mapping):
            extra = {**self.extra_body, CONFIG: {**config, MOST: tokens}}
            return replace(self, extra_body=extra)
        return replace(self, sampling={**self.sampling, "max_tokens": tokens})

    def tier_of(self, response: Response) -> str:
        """Return how an answer was served: as the provider says, or else as it was asked to be."""
        asked = self.settings.get("service_tier", self.settings.get("serviceTier"))
        return response.service_tier or (asked if isinstance(asked, str) else "")

    def expected_tokens(self, answer: float | None) -> float:
        """Return about how many tokens it takes, if its answer takes as many as others have."""
        prompt = sum(len(text) for _, text in self.asked)
        return prompt / CHARACTERS_PER_TOKEN + (answer or self.max_tokens or 1000)

    def _digest(self) -> str:
        body = without_cache_points(self.body())
        identity: dict[str, object] = {"provider": self.provider, "body": body}
        if self.sample > 0:
            identity["sample"] = self.sample
        try:
            return hashlib.sha256(_canonical_json(identity).encode()).hexdigest()
        except UnicodeEncodeError as error:
            raise CallError(
                f"{self}: holds the lone surrogate {error.object[error.start]!r}, which UTF-8 "
                f"cannot hold; remove it from the prompt or the sampling settings"
            ) from error
        except (TypeError, ValueError) as error:
            raise CallError(
                f"{self}: is not JSON ({one_line(error)}); fix the sampling settings"
            ) from error

    def __str__(self) -> str:
        return f"provider {self.provider!r}, model {self.model!r}"


def _canonical_json(value: object) -> str:
    return json.dumps(
        _canonical(value),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )


def _canonical(value: object) -> object:
    """Return `value` with one spelling per number: writing 1.0 for 1 must not cost a call."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(name): _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value


def derive_seed(gen_id: str, sample: int = 0) -> int:
    """Return a seed of 31 bits that depends only on the generation and the number of its sample.

    31 bits, because some providers read a seed as a signed number of 32 bits.
    """
    digest = hashlib.blake2b(f"{gen_id}|{sample}".encode(), digest_size=4, person=b"seed").digest()
    return int.from_bytes(digest) & 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """The bytes of an HTTP answer, decompressed and without secrets, and their declared type."""

    content: bytes
    content_type: str


# What a protocol calls the reason of an answer that was cut; gateways pass on others' words.
CUT = frozenset({"length", "max_tokens", "MAX_TOKENS"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One answer: the chat completion or other answer `body`, and the call that brought it.

    If the answer's bytes are not simply the JSON of `body`, `raw` holds them. If they hold no
    answer, `body` is empty and `problem` says why.

    `batch` is the batch that it came in, empty for a call of its own.

    `headers` are those of the HTTP answer (none without HTTP). `attempts` is how many requests were
    sent until the answer came. `started_at` is when the answered one was sent (UTC, ISO 8601,
    milliseconds), and `duration_s` how many seconds it then took.
    """

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    attempts: int = 1
    started_at: str
    duration_s: float
    raw: RawAnswer | None = None
    problem: str = ""
    batch: str = ""

    @property
    def text(self) -> str:
        """The exact text of the answer. If it comes in parts, its text parts are joined.

        The arguments of a tool's call are an answer that a schema asked for.

        Raises:
            CallError: the answer holds no text.
        """
        message = self._choice.get("message")
        arguments = _arguments(message)
        if arguments:
            return arguments
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, Mapping)]
            texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
            if texts:
                return "".join(texts)
        raise CallError(self._no_text(message if isinstance(message, Mapping) else {}))

    def _no_text(self, message: Mapping[str, Any]) -> str:
        if self.problem:
            return f"the provider {self.problem}; {ASK_AGAIN}"
        who = f"the answer of model {self.model!r} holds no text"
        if not self._choice:
            return f"{who}: it has no choices; {ASK_AGAIN}"
        if message.get("refusal"):
            return f"{who} but the refusal {one_line(message['refusal'])}; change the prompt"
        if self.truncated:
            return f"{who}: all its tokens went into reasoning; raise max_tokens"
        return (
            f"{who} (finish_reason {self.finish_reason!r}); change the prompt or ask for a new "
            f"sample"
        )

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, such as ``stop`` or ``length``; None if that is not known."""
        reason = self._choice.get("finish_reason")
        return reason if isinstance(reason, str) else None

    @property
    def truncated(self) -> bool:
        """Whether the answer was cut by max_tokens or by the model's context."""
        return self.finish_reason in CUT

    @property
    def counted(self) -> Usage:
        """The tokens used, as far as the provider gives usable numbers."""
        return read_usage(self.usage)

    @property
    def usage(self) -> dict[str, Any]:
        """What the provider says about the tokens used, unchanged; empty if it says nothing."""
        usage = completion_of(self.body).get("usage")
        return usage if isinstance(usage, dict) else {}

    @property
    def service_tier(self) -> str:
        """The provider's word for how the call was served, such as ``flex``; empty if untold."""
        tier = completion_of(self.body).get("service_tier")
        return tier if isinstance(tier, str) else ""

    @property
    def model(self) -> str | None:
        """The provider's name for the model that answered; None if the provider does not say."""
        model = completion_of(self.body).get("model")
        return model if isinstance(model, str) else None

    @property
    def _choice(self) -> Mapping[str, Any]:
        choices = completion_of(self.body).get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            return choices[0]
        return {}


def _arguments(message: object) -> str:
    """Return the arguments of the only tool that a message calls; empty if there is none."""
    calls = message.get("tool_calls") if isinstance(message, Mapping) else None
    if not (isinstance(calls, list) and len(calls) == 1 and isinstance(calls[0], Mapping)):
        return ""
    function = calls[0].get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return arguments if isinstance(arguments, str) else ""


class Asked(Protocol):
    """What limits and retries know of a request, whatever it asks for."""

    @property
    def model(self) -> str:
        """The provider's name for the model."""

    def expected_tokens(self, answer: float | None) -> float:
        """Return about how many tokens it takes; `answer` is the mean of the answers so far."""


class Provider(Protocol):
    """Answers requests, from any number of threads at once."""

    def complete(self, request: Request) -> Response:
        """Return the answer to a request.

        Raises:
            CallError: there is none; one line says who, why and what to do.
        """

    def check(self) -> None:
        """Check what can be known without a call: a key, a file, a server that listens.

        Raises:
            CallError: no call could be answered.
        """

    def close(self) -> None:
        """Release connections and memory; the provider is not used again."""


class CallClock:
    """Measures when a call began and how long it has taken."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._begin = time.perf_counter()

    @property
    def duration_s(self) -> float:
        """The seconds since the clock was created, to the microsecond."""
        return round(time.perf_counter() - self._begin, 6)


def error_message(error: object) -> str:
    """Return what a provider's error object says.

    That is its message, with the upstream provider's message if a router passes one on. An object
    without a message is returned whole.
    """
    if isinstance(error, Mapping):
        inner = error.get("error")
        if isinstance(inner, Mapping | str) and inner:
            return error_message(inner)
        message, metadata = error.get("message"), error.get("metadata")
        upstream = metadata.get("raw") if isinstance(metadata, Mapping) else None
        texts = [text for text in (message, upstream) if isinstance(text, str) and text]
        if texts:
            return ": ".join(texts)
    return error if isinstance(error, str) else json.dumps(error, default=str)


def one_line(value: object, *, limit: int = 500) -> str:
    """Return the text of `value` in quotes, on one line of `limit` characters at most."""
    text = " ".join(str(value).split())
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")
