"""What a call costs, and who says so."""

from __future__ import annotations

import socket

import pytest

from daydream.calls.prices import Cost, cost_of, most_of, recorded_cost
from daydream.catalog.records import Model
from daydream.llm.usage import Usage
from daydream.settings import Anthropic, Function, Gemini, OpenAI, Settings

USAGE = Usage(prompt=1000, completion=500)


def model(name: str = "m", **prices: float | None) -> Model:
    both = {"usd_per_mtok_in": None, "usd_per_mtok_out": None}
    return Model(
        model_id="m", model=name, provider="p", display_name="M", pool="", **{**both, **prices}
    )


def settings(url: str | None = None) -> Settings:
    provider = Function(path="f.py") if url == "function" else OpenAI(base_url=url)
    return Settings.model_construct(providers={"p": provider}, default_provider="p")


CATALOG = {"usd_per_mtok_in": 2.0, "usd_per_mtok_out": 10.0}


def test_the_catalog_s_prices() -> None:
    """Per million tokens."""
    expected = (1000 * 2 + 500 * 10) / 1e6
    assert cost_of(USAGE, model(**CATALOG), settings()) == Cost(expected, "llm_models.csv")


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({}, 1000 * 2 + 500 * 10),
        ({"usd_per_mtok_cached_in": 0.5}, 200 * 2 + 800 * 0.5 + 500 * 10),
        ({"usd_per_mtok_reasoning": 20.0}, 1000 * 2 + 100 * 10 + 400 * 20),
        ({"usd_per_mtok_cached_in": 0.0}, 200 * 2 + 500 * 10),
    ],
)
def test_cached_and_reasoning_tokens(prices: dict[str, float], expected: float) -> None:
    """They have prices of their own, or those of the rest."""
    usage = USAGE._replace(cached=800, reasoning=400)
    found = cost_of(usage, model(**CATALOG, **prices), settings())
    assert found.usd == pytest.approx(expected / 1e6)


def test_the_provider_s_own_figure_goes_before_all_others() -> None:
    assert cost_of(USAGE._replace(usd=7.0), model(**CATALOG), settings()) == Cost(7.0, "provider")


def test_a_well_known_provider_has_list_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come with the package: nothing is fetched. gpt-4o was 2.50 and 10 USD in 2025."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = cost_of(USAGE, model("gpt-4o"), settings())
    assert found == Cost(pytest.approx((1000 * 2.5 + 500 * 10) / 1e6), "genai-prices")
    routed = cost_of(
        USAGE, model("anthropic/claude-sonnet-4"), settings("https://openrouter.ai/api/v1")
    )
    assert routed.source == "genai-prices"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "function"])
def test_a_server_of_one_s_own_has_none(url: str) -> None:
    """Whatever its models are called."""
    assert cost_of(USAGE, model("gpt-4o"), settings(url)) == Cost()


def test_without_counts_there_is_no_price() -> None:
    assert cost_of(Usage(prompt=5), model(**CATALOG), settings()) == Cost()


def test_the_most_that_a_call_can_cost() -> None:
    """The dearest kind of each token, as nobody knows beforehand which kind it will be."""
    dear = model(**CATALOG, usd_per_mtok_reasoning=50.0)
    assert most_of(USAGE, dear, settings()) == pytest.approx((1000 * 2 + 500 * 50) / 1e6)
    cheap = model(**CATALOG, usd_per_mtok_cached_in=0.1, usd_per_mtok_reasoning=1.0)
    assert most_of(USAGE, cheap, settings()) == pytest.approx((1000 * 2 + 500 * 10) / 1e6)
    assert most_of(USAGE, model(), settings("http://127.0.0.1/v1")) is None


def test_tokens_written_to_a_cache_have_a_price_of_their_own() -> None:
    """And the most that a call can cost counts with the dearest."""
    usage = USAGE._replace(cached=300, cache_write=600)
    prices = {**CATALOG, "usd_per_mtok_cached_in": 0.2, "usd_per_mtok_cache_write": 2.5}
    found = cost_of(usage, model(**prices), settings())
    assert found.usd == pytest.approx((100 * 2 + 300 * 0.2 + 600 * 2.5 + 500 * 10) / 1e6)
    found = cost_of(usage, model(**CATALOG), settings())
    assert found.usd == pytest.approx((1000 * 2 + 500 * 10) / 1e6)
    most = most_of(USAGE, model(**prices), settings())
    assert most == pytest.approx((1000 * 2.5 + 500 * 10) / 1e6)


def test_tokens_written_for_an_hour_have_a_price_of_their_own() -> None:
    """Else they cost twice as much as other tokens, by the catalog and by the list."""
    usage = USAGE._replace(cached=100, cache_write=700, cache_write_1h=600)
    prices = {**CATALOG, "usd_per_mtok_cached_in": 0.2, "usd_per_mtok_cache_write": 2.5}
    rest = 200 * 2 + 100 * 0.2 + 100 * 2.5 + 500 * 10
    own = model(**prices, usd_per_mtok_cache_write_1h=5.0)
    assert cost_of(usage, own, settings()).usd == pytest.approx((rest + 600 * 5) / 1e6)
    found = cost_of(usage, model(**prices), settings())
    assert found.usd == pytest.approx((rest + 600 * 2 * 2) / 1e6)
    listed = Usage(prompt=1000, completion=0, cached=300, cache_write=300, cache_write_1h=200)
    found = cost_of(listed, model("claude-sonnet-4-5"), configured(Anthropic()))
    assert found.usd == pytest.approx((400 * 3 + 300 * 0.3 + 100 * 3.75 + 200 * 6) / 1e6)
    for ttl, dearest in (("5m", 2.5), ("1h", 5.0)):
        most = most_of(USAGE, own, configured(Anthropic(cache_ttl=ttl)))
        assert most == pytest.approx((1000 * dearest + 500 * 10) / 1e6)


@pytest.mark.parametrize(
    ("name", "provider", "usd"),
    [
        # Per million tokens, Sonnet 4.5 was 3 USD, 0.30 from the cache and 3.75 into it.
        ("claude-sonnet-4-5", Anthropic(), 400 * 3 + 300 * 0.3 + 300 * 3.75),
        # Gemini 2.5 Flash was 0.30 USD, and 0.03 from the cache.
        ("gemini-2.5-flash", Gemini(), 700 * 0.3 + 300 * 0.03),
    ],
)
def test_other_apis_have_list_prices(name: str, provider: Anthropic | Gemini, usd: float) -> None:
    """Of the provider's own address, unless another one is configured."""
    usage = Usage(prompt=1000, completion=0, cached=300, cache_write=300)
    found = cost_of(usage, model(name), configured(provider))
    assert found == Cost(pytest.approx(usd / 1e6), "genai-prices")
    elsewhere = type(provider)(base_url="http://127.0.0.1:1/v1")
    assert cost_of(usage, model(name), configured(elsewhere)) == Cost()


def configured(provider: OpenAI | Anthropic | Gemini) -> Settings:
    return Settings.model_construct(providers={"p": provider}, default_provider="p")


def test_a_call_served_in_the_flex_tier_has_a_share_of_the_price() -> None:
    """Of which the settings say how much; a batch has its own."""
    whole = cost_of(USAGE, model(**CATALOG), settings()).usd or 0
    assert cost_of(USAGE, model(**CATALOG), settings(), tier="flex").usd == pytest.approx(whole / 2)
    assert cost_of(USAGE, model(**CATALOG), settings(), tier="default").usd == whole
    own = configured(OpenAI(flex_price=0.4))
    found = cost_of(USAGE, model(**CATALOG), own, tier="flex")
    assert found.usd == pytest.approx(0.4 * whole)
    told = {"usage": {"prompt_tokens": 1000, "completion_tokens": 500}, "service_tier": "flex"}
    assert recorded_cost(told, model(**CATALOG), own) == found
    assert recorded_cost(told, None, own) == Cost()
