"""Embeddings: which model says how near texts are in meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from daydream.settings.fields import Count, Name, NumberFrom0, Section, Text
from daydream.settings.stages import Finding


class Embeddings(Section):
    """The model whose embeddings the tables of texts are made with."""

    model: Text = Field(description="The provider's name for the model of embeddings.")
    provider: Name = Field(description="The provider, of `type: openai`.")
    usd_per_mtok: NumberFrom0 | None = Field(
        default=None,
        description="Its price in USD per million tokens; `null` means the list price, if there "
        "is one ([above](#prices)).",
    )
    texts: Count = Field(default=64, description="The most texts per request.")
    tokens: Count = Field(
        default=8000,
        description="The most tokens per request, with a token per three bytes; a longer text is "
        "sent alone.",
    )
    dimensions: Count | None = Field(
        default=None,
        description="The length of the vectors, for models that can shorten them; `null` means "
        "the model's own.",
    )


def unusable_provider(settings: object, providers: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield why the provider named for embeddings, as written, cannot give any."""
    name = settings.get("provider") if isinstance(settings, Mapping) else None
    if not providers or not isinstance(name, str):
        return
    path = ("embeddings", "provider")
    if name not in providers:
        remedy = f"name one under providers, of type openai: {_usable(providers)}"
        yield Finding(path, f"found {name!r}, which is not a provider", remedy)
        return
    kind = providers[name].get("type") if isinstance(providers[name], Mapping) else None
    if isinstance(kind, str) and kind != "openai":
        remedy = f"name a provider of type openai: {_usable(providers)}"
        yield Finding(path, f"found {name!r}, a provider of type {kind}", remedy)


def _usable(providers: Mapping[str, Any]) -> str:
    names = [
        name
        for name, each in providers.items()
        if isinstance(each, Mapping) and each.get("type") == "openai"
    ]
    return ", ".join(names) or "there is none yet"
