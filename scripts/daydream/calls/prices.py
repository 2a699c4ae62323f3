"""What a call costs, and where its price comes from.

The amount that the provider says it charged comes first, then the prices in `llm_models.csv`, then
the list prices of well-known providers in the package `genai-prices`, by the address that is
called. That list is never downloaded, so it is as old as the installed package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from daydream.catalog.records import Model
from daydream.llm.providers.anthropic import AnthropicProvider
from daydream.llm.providers.gemini import GeminiProvider
from daydream.llm.usage import Usage, read_usage
from daydream.settings import Anthropic, Api, Gemini, OpenAI, Settings

PROVIDER, CATALOG, LIST = "provider", "llm_models.csv", "genai-prices"
OF_EMBEDDINGS = "embeddings.usd_per_mtok"
# The addresses that are called by default, by the type of the provider.
URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": AnthropicProvider.URL,
    "gemini": GeminiProvider.URL,
}
FLEX = "flex"
# What Anthropic asks for a token that its cache keeps for an hour, as tokens of the prompt.
OF_AN_HOUR = 2


class Cost(NamedTuple):
    """A price in USD, or None if it is not known, and where it comes from."""

    usd: float | None = None
    source: str = ""


def cost_of(
    usage: Usage, model: Model, settings: Settings, *, batch: bool = False, tier: str = ""
) -> Cost:
    """Return what a call of a model costs, by itself or in a `batch`, served in a `tier`.

    Tokens that were read from a cache or written to it, and reasoning tokens, have their own prices
    if the catalog gives them. Otherwise they cost as much as other tokens of the prompt and the
    answer; those that were written for an hour, `OF_AN_HOUR` times as much.
    """
    if usage.usd is not None:
        return Cost(usage.usd, PROVIDER)
    if usage.prompt is None or usage.completion is None:
        return Cost()
    share = _share(model, settings, batch=batch, tier=tier)
    if model.usd_per_mtok_in is None or model.usd_per_mtok_cache_write_1h is None:
        usage = _without_hour(usage)
    if model.usd_per_mtok_in is not None and model.usd_per_mtok_out is not None:
        return Cost(share * _by_catalog(usage, model), CATALOG)
    listed = _list_price(model.model, _address(model.provider, settings))
    usd = None if listed is None else listed(usage)
    return Cost() if usd is None else Cost(share * usd, LIST)


def recorded_cost(told: Mapping[str, Any], model: Model | None, settings: Settings) -> Cost:
    """Return what a call cost by today's prices; `told` is its metadata.json."""
    if model is None:
        return Cost()
    usage, tier = read_usage(told.get("usage")), str(told.get("service_tier") or "")
    return cost_of(usage, model, settings, batch=bool(told.get("batch")), tier=tier)


def embedding_cost(usage: Usage, settings: Settings) -> Cost:
    """Return what a request for embeddings costs."""
    if usage.usd is not None:
        return Cost(usage.usd, PROVIDER)
    asked = settings.embeddings
    if asked is None or usage.prompt is None:
        return Cost()
    if asked.usd_per_mtok is not None:
        return Cost(asked.usd_per_mtok * usage.prompt / 1e6, OF_EMBEDDINGS)
    listed = _list_price(asked.model, _address(asked.provider, settings))
    usd = None if listed is None else listed(usage)
    return Cost() if usd is None else Cost(usd, LIST)


def _share(model: Model, settings: Settings, *, batch: bool, tier: str) -> float:
    """Return the price of a call as a share of the ordinary price."""
    provider = settings.provider_of(model.provider)
    if batch:
        api = settings.batch_api(provider)
        return 1 if api is None else api.price
    found = settings.providers[provider]
    return found.flex_price if tier == FLEX and isinstance(found, OpenAI | Gemini) else 1


def most_of(usage: Usage, model: Model, settings: Settings, *, batch: bool = False) -> float | None:
    """Return the most that a call of these tokens can cost, or None if there is no price."""
    thought = usage._replace(reasoning=usage.completion)
    kinds = (
        usage,
        thought._replace(cached=usage.prompt),
        thought._replace(cache_write=usage.prompt),
        *_written_for_an_hour(thought, model, settings),
    )
    prices = [cost_of(kind, model, settings, batch=batch).usd for kind in kinds]
    known = [price for price in prices if price is not None]
    return max(known, default=None)


def _written_for_an_hour(usage: Usage, model: Model, settings: Settings) -> tuple[Usage, ...]:
    """Return the usage with all of the prompt put into a cache for an hour, where that can be."""
    provider = settings.providers[settings.provider_of(model.provider)]
    if not isinstance(provider, Anthropic) or provider.cache_ttl != "1h":
        return ()
    return (usage._replace(cache_write=usage.prompt, cache_write_1h=usage.prompt),)


def _without_hour(usage: Usage) -> Usage:
    """Return the usage that costs the same where nothing is kept for an hour."""
    hour = usage.cache_write_1h or 0
    if usage.prompt is None or not hour:
        return usage
    return usage._replace(
        prompt=usage.prompt + (OF_AN_HOUR - 1) * hour,
        cache_write=(usage.cache_write or 0) - hour,
        cache_write_1h=0,
    )


def _by_catalog(usage: Usage, model: Model) -> float:
    paid_in, paid_out = model.usd_per_mtok_in or 0.0, model.usd_per_mtok_out or 0.0
    cached, written = usage.cached or 0, usage.cache_write or 0
    hour = usage.cache_write_1h or 0
    reasoning = usage.reasoning or 0
    parts = (
        (paid_in, (usage.prompt or 0) - cached - written),
        (_own(model.usd_per_mtok_cached_in, paid_in), cached),
        (_own(model.usd_per_mtok_cache_write, paid_in), written - hour),
        (_own(model.usd_per_mtok_cache_write_1h, paid_in), hour),
        (paid_out, (usage.completion or 0) - reasoning),
        (_own(model.usd_per_mtok_reasoning, paid_out), reasoning),
    )
    return sum(price * tokens for price, tokens in parts) / 1e6


def _own(price: float | None, otherwise: float) -> float:
    return otherwise if price is None else price


def _address(name: str, settings: Settings) -> str:
    """Return the URL that a model's provider is asked at; empty if it is not a provider's API."""
    provider = settings.providers[settings.provider_of(name)]
    return provider.base_url or URLS[provider.type] if isinstance(provider, Api) else ""


@lru_cache(maxsize=1024)
def _list_price(model: str, address: str) -> Callable[[Usage], float | None] | None:
    """Return the list price of a model at an address, as a function; None if there is none."""
    if not address or "." not in (urlsplit(address).hostname or ""):
        return None
    import genai_prices  # noqa: PLC0415 - half a second, for models without a price in the catalog

    def price(usage: Usage) -> float | None:
        counted = genai_prices.Usage(
            input_tokens=usage.prompt,
            output_tokens=usage.completion,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
        )
        try:
            found = genai_prices.calc_price(counted, model_ref=model, provider_api_url=address)
        except (LookupError, ValueError):
            return None
        return float(found.total_price)

    return price if price(Usage(1, 1)) is not None else None
