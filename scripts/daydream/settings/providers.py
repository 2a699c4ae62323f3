"""Providers, which serve models, and pools, which limit the calls to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from daydream.settings.batch import BatchApi
from daydream.settings.fields import Count, NumberFrom0, Seconds, Section, Text, Words, read_whole

# How a provider takes the JSON Schema of an answer (`daydream.llm.structured`).
Structured = Literal["response_format", "json_object", "tool", "none"]


class Asked(Section):
    """The settings of every provider."""

    structured: Structured = Field(
        default="response_format",
        description="How a template's [schema](#answers-in-json) is sent: as `response_format` "
        "(OpenAI and most servers), as `json_object` (JSON of any shape), as a `tool` whose "
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
    max_attempts: Count = Field(default=6, description="The most attempts per call.")
    deadline: Seconds = Field(
        default=1800,
        description="Seconds for the whole of a call, see [below](#failures-and-limits).",
    )
    first_wait: NumberFrom0 = Field(
        default=1, description="The longest wait after the first failed attempt, in seconds."
    )


class OpenAI(Remote):
    """Any server that offers OpenAI's chat completions API."""

    type: Literal["openai"] = "openai"
    base_url: Text | None = Field(
        default=None, description="The address of the API; `null` means OpenAI's."
    )
    api_key_env: Text | None = Field(
        default="OPENAI_API_KEY",
        description="The variable that holds the key, in the environment or in `.env`; `null` if "
        "no key is needed.",
    )
    batch: BatchApi | None = Field(
        default_factory=BatchApi,
        description="Its [batches](#batches); `null` if it has none.",
    )


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


Provider = Annotated[OpenAI | Command | Local | Function, Field(discriminator="type")]


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
