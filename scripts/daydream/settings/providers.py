"""Where models are, and how much may be asked of them: providers and pools."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from daydream.settings.fields import Count, NumberFrom0, Seconds, Section, Text, Words, read_whole


class Remote(Section):
    """What is told of every provider that is asked over a connection."""

    connect_timeout: Seconds = Field(
        default=10, description="Seconds until a connection must be there."
    )
    read_timeout: Seconds = Field(
        default=600, description="Seconds that may pass without a byte of the answer."
    )
    max_attempts: Count = Field(default=6, description="So many times at the most a call is made.")
    deadline: Seconds = Field(
        default=1800,
        description="Seconds for the whole of a call, see [below](#failures-and-limits).",
    )
    first_wait: NumberFrom0 = Field(
        default=1, description="Seconds that bound the wait after a first failure."
    )


class OpenAI(Remote):
    """Any server of OpenAI's chat completions."""

    type: Literal["openai"] = "openai"
    base_url: Text | None = Field(
        default=None, description="The address of its API; `null` is that of OpenAI."
    )
    api_key_env: Text | None = Field(
        default="OPENAI_API_KEY",
        description="The environment variable that holds the key (from the environment or from "
        "`.env`); `null` if none is needed.",
    )


class Command(Remote):
    """A model server that the run starts for itself, and that ends with it."""

    type: Literal["command"] = "command"
    command: Annotated[tuple[Words, ...], Field(min_length=1)] = Field(
        description="The program and its arguments; `{port}` becomes a free port.",
    )
    health: Text = Field(
        default="/health", description="The first call waits until this path answers with 200 …"
    )
    start_timeout: Seconds = Field(default=300, description="… at most so many seconds.")


Context = Annotated[int, Field(ge=256), BeforeValidator(read_whole)]


class Local(Section):
    """The bundled SmolLM2-135M-Instruct, or another GGUF file, in this process.

    The same request gives the same text on the same machine.
    """

    type: Literal["local"] = "local"
    model_path: Text | None = Field(
        default=None, description="The GGUF file; `null` is the bundled one."
    )
    n_ctx: Context = Field(
        default=8192, description="Tokens of context: prompt and answer together."
    )
    threads: Count | None = Field(
        default=None, description="The cores that compute; `null` is half of those there are."
    )


class Function(Section):
    """A Python function, which takes the request's body.

    It returns the answer's text, or a whole chat completion object.
    """

    type: Literal["function"] = "function"
    path: Text = Field(description="The Python file that holds it.")
    name: Text = Field(default="complete", description="Its name.")


Provider = Annotated[OpenAI | Command | Local | Function, Field(discriminator="type")]


class Pool(Section):
    """Limits of a group of models, or of one provider's. Without a limit there is none."""

    requests_per_minute: Count | None = Field(
        default=None, description="Calls in any minute; used up to 98 %, evenly."
    )
    tokens_per_minute: Count | None = Field(
        default=None,
        description="Tokens in any minute, of prompts and answers; used up to 98 %, evenly.",
    )
    concurrent: Count | None = Field(
        default=None,
        description="Calls in flight at once.",
    )
