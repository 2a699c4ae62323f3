"""Batches: which stages ask their questions at about half the price, within a day."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from daydream.settings.fields import (
    Count,
    OneOrMany,
    Seconds,
    Section,
    Share,
    Words,
    each_once,
)

ALL = "all"


class BatchLimits(NamedTuple):
    """The most that a batch may hold."""

    requests: int
    bytes: int


class BatchApi(Section):
    """The batches of a provider, and their limits."""

    price: Share = Field(
        default=0.5, description="The price of a call in a batch, as a share of the ordinary price."
    )
    requests: Count | None = Field(
        default=None,
        description="The most requests per batch; `null`: 50,000, of Anthropic 100,000, `inline` "
        "5,000.",
    )
    bytes: Count | None = Field(
        default=None,
        description="The most bytes per batch; `null`: 100 MB, of Anthropic 256 MB, `inline` 200 "
        "MB.",
    )
    tokens: Count | None = Field(
        default=None,
        description="The most tokens of prompts that may be in batches at once, with a token per "
        "three bytes; what is more waits until an earlier batch has ended.",
    )
    attempts: Count = Field(
        default=3,
        description="How often a request is put in a batch, if it expires or fails for a reason "
        "that may pass. After that, it is asked for directly.",
    )
    poll: Seconds = Field(
        default=60, description="Seconds between two questions about how far a batch is."
    )


class OpenAIBatchApi(BatchApi):
    """The batches of a provider of `type: openai`, and their limits."""

    shape: Literal["files", "inline"] | None = Field(
        default=None,
        description="Only of `type: openai`: whether requests are uploaded as a file, as OpenAI "
        "has it (`files`), or stand in the batch itself, as OpenRouter has it (`inline`); `null`: "
        "as the API at `base_url` has it, `inline` at openrouter.ai and `files` elsewhere.",
    )


class Batch(Section):
    """The stages whose answers are asked for in batches."""

    stages: Annotated[tuple[Words, ...], OneOrMany, AfterValidator(each_once)] = Field(
        default=(), description="The stages; `all` means all of them."
    )

    def covers(self, stage: str) -> bool:
        """Tell whether a stage asks in batches."""
        return ALL in self.stages or stage in self.stages


def read_batch(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """Return the section that ``true``, ``false`` or a list of stages stands for."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    meant = words.get(value.lower(), value) if isinstance(value, str) else value
    if meant is None or meant is False:
        return {}
    if meant is True:
        return {"stages": [ALL]}
    return {"stages": meant} if isinstance(meant, str | list | tuple) else meant
