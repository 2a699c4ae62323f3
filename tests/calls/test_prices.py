"""What a call costs, and who says so."""

from __future__ import annotations

import socket

import pytest

from daydream.calls.prices import Cost, cost_of, most_of
from daydream.catalog.records import Model
from daydream.llm.usage import Usage
from daydream.settings import Function, OpenAI, Settings

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
