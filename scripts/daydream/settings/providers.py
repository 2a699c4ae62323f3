"""Providers, which serve models, and pools, which limit the calls to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from daydream.settings.batch import BatchApi, BatchLimits, OpenAIBatchApi
from daydream.settings.fields import (
    Count,
    NumberFrom0,
    Seconds,
    Section,
    Share,
    Text,
    Words,
    invalid,
    read_whole,
)

# The host whose API takes the requests of a batch inline.
OPENROUTER = "openrouter.ai"
# How a provider takes the JSON Schema of an answer (`daydream.llm.structured`).
Structured = Literal["response_format", "json_object", "tool", "none"]


class Asked(Section):
    """The settings of every provider."""

    structured: Structured = Field(
        default="response_format",
        description="How a template's [schema](#answers-in-json) is sent: as the API's format of "
        "an answer (`response_format`), as `json_object` (JSON of any shape), as a `tool` whose "
        "arguments are the answer, or not at all: `none`.",
    )


class Remote(Asked):
    """The settings of every provider that is called over a connection."""

    connect_timeout: Seconds = Field(
        default=10, description="Seconds within which the connection must be established."
    )
    read_timeout: Seconds = Field(
        default=600, description="Seconds to wait for the next byte of the answer."
    )
    max_attempts: Count = Field(
        default=6,
        description="The most attempts per call that may fail; those for which the provider has no "
        "room do not count.",
    )
    deadline: Seconds = Field(
        default=1800,
        description="Seconds for the whole of a call, see [below](#failures-and-limits).",
    )
    first_wait: NumberFrom0 = Field(
        default=1, description="The longest wait after the first failed attempt, in seconds."
    )


def _read_url(value: str) -> str:
    """Return the address of an API, to which paths can be added."""
    try:
        url = urlsplit(value)
        known = url.scheme in ("http", "https") and bool(url.hostname)
        with_user = "@" in url.netloc
        _ = url.port
    except ValueError:
        known = with_user = False
    if not known:
        raise invalid("give an address such as https://api.example.com/v1")
    if with_user:
        # It would be sent instead of the key, and shown in messages.
        remedy = "leave out what stands before the @, and name a key in api_key_env"
        raise invalid(remedy, found="…@…")
    if "?" in value or "#" in value:
        raise invalid("leave out what begins with ? or #: paths are added at the end")
    if url.path.rstrip("/").endswith("/chat/completions"):
        raise invalid("leave out /chat/completions: it is added")
    return value


Url = Annotated[Text, AfterValidator(_read_url)]


def _address(whose: str) -> Any:  # noqa: ANN401 - what pydantic's `Field` returns
    return Field(default=None, description=f"The address of the API; `null` means {whose}.")


def _key(variable: str | None) -> Any:  # noqa: ANN401 - likewise
    return Field(
        default=variable,
        description="The variable that holds the key, in the environment or in `.env`; `null` if "
        "no key is needed.",
    )


def _flex() -> Any:  # noqa: ANN401 - likewise
    return Field(
        default=0.5,
        description="The price of a call that was served with `service_tier: flex`, as a share of "
        "the ordinary price.",
    )


class Api(Remote):
    """The settings of every provider that has an account of the user's."""

    base_url: Url | None = _address("the provider's own")
    api_key_env: Text | None = _key(None)
    batch: BatchApi | None = Field(
        default_factory=BatchApi,
        description="Its [batches](#batches); `null` if it has none.",
    )

    @property
    def batch_limits(self) -> BatchLimits:
        """The most that a batch may hold."""
        asked, most = self.batch or BatchApi(), self.most_in_batch
        return BatchLimits(asked.requests or most.requests, asked.bytes or most.bytes)

    @property
    def most_in_batch(self) -> BatchLimits:
        """The most that the API takes in a batch."""
        return BatchLimits(50_000, 100_000_000)


class OpenAI(Api):
    """Any server that offers OpenAI's chat completions API."""

    type: Literal["openai"] = "openai"
    base_url: Url | None = _address("OpenAI's")
    api_key_env: Text | None = _key("OPENAI_API_KEY")
    batch: OpenAIBatchApi | None = Field(
        default_factory=OpenAIBatchApi,
        description="Its [batches](#batches); `null` if it has none.",
    )
    flex_price: Share = _flex()
    cache_points: Literal["none", "cache_control", "breakpoint"] = Field(
        default="none",
        description="How a template's [cache point](../docs/providers.md#prompt-caching) is sent: "
        "not at all (`none`), as most servers find equal beginnings themselves; as "
        "`cache_control`, for OpenRouter; or as `breakpoint`, for OpenAI's models that have "
        "`prompt_cache_breakpoint`.",
    )

    @property
    def has_inline_batches(self) -> bool:
        """Whether the requests of a batch stand in the batch itself."""
        shape = self.batch.shape if self.batch else None
        host = urlsplit(self.base_url or "").hostname or ""
        # Nothing else can work there: it takes no files.
        return shape == "inline" or (shape is None and f".{host}".endswith(f".{OPENROUTER}"))

    @property
    def most_in_batch(self) -> BatchLimits:
        """The most that the API takes in a batch."""
        return BatchLimits(5_000, 200_000_000) if self.has_inline_batches else super().most_in_batch


class Anthropic(Api):
    """Anthropic's Messages API."""

    type: Literal["anthropic"] = "anthropic"
    base_url: Url | None = _address("Anthropic's")
    api_key_env: Text | None = _key("ANTHROPIC_API_KEY")
    cache_ttl: Literal["5m", "1h"] = Field(
        default="5m",
        description="How long the API keeps what stands before a "
        "[cache point](../docs/providers.md#prompt-caching), from its last use on. Writing for an "
        "hour costs 2 times the price of a prompt instead of 1.25 times.",
    )

    @property
    def most_in_batch(self) -> BatchLimits:
        """The most that the API takes in a batch."""
        return BatchLimits(100_000, 256_000_000)


class Gemini(Api):
    """Google's Gemini API."""

    type: Literal["gemini"] = "gemini"
    base_url: Url | None = _address("Google's")
    api_key_env: Text | None = _key("GEMINI_API_KEY")
    flex_price: Share = _flex()


class Command(Remote):
    """A model server that the run starts, and that ends with it."""

    type: Literal["command"] = "command"
    command: Annotated[tuple[Words, ...], Field(min_length=1)] = Field(
        description="The program and its arguments. `{port}` is replaced by a free port.",
    )
    health: Text = Field(
        default="/health", description="The server is ready when this path answers with status 200."
    )
    start_timeout: Seconds = Field(
        default=300, description="Seconds within which the server must be ready."
    )


Context = Annotated[int, Field(ge=256), BeforeValidator(read_whole)]


class Local(Asked):
    """The bundled SmolLM2-135M-Instruct, or another GGUF file, in this process.

    The same request gives the same text on the same machine.
    """

    type: Literal["local"] = "local"
    model_path: Text | None = Field(
        default=None, description="The GGUF file; `null` means the bundled model."
    )
    n_ctx: Context = Field(
        default=8192, description="The context size in tokens, prompt and answer together."
    )
    threads: Count | None = Field(
        default=None, description="How many cores to use; `null` means half of the machine's."
    )


class Function(Asked):
    """A Python function, which takes the body of the request.

    It returns the answer's text, or a whole chat completion object.
    """

    type: Literal["function"] = "function"
    path: Text = Field(description="The Python file that defines the function.")
    name: Text = Field(default="complete", description="The name of the function.")


Provider = Annotated[
    OpenAI | Anthropic | Gemini | Command | Local | Function, Field(discriminator="type")
]


class Pool(Section):
    """Limits of a group of models, or of all models of one provider. Unset limits do not apply."""

    requests_per_minute: Count | None = Field(
        default=None, description="Calls per minute. Up to 98 % is used, spread evenly."
    )
    tokens_per_minute: Count | None = Field(
        default=None,
        description="Tokens per minute, prompts and answers together. Up to 98 % is used, spread "
        "evenly.",
    )
    concurrent: Count | None = Field(
        default=None,
        description="Calls in flight at once.",
    )
