"""What a provider's headers say of waiting and of limits."""

from __future__ import annotations

import time

import pytest

from daydream.llm.failures import exhausted, retry_after

NOW = time.time()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "3", "retry-after-ms": "250"}, 0.25),
        ({"llm_provider-retry-after": "4"}, 4),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan", "retry-after-ms": "nan"}, None),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 -0000"}, 0),
        ({"x-ratelimit-reset-requests": "3s"}, None),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "3s"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1.5s"}, 1.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 30:.0f}"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{1000 * (NOW + 30):.0f}"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "later"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1s", "retry-after": "7"}, 7),
    ],
)
def test_seconds_to_wait(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number, a date, a duration or a time; nonsense asks for nothing."""
    monkeypatch.setattr("daydream.llm.failures.time.time", lambda: NOW)
    found = retry_after(headers)
    assert (found is None) == (seconds is None)
    if found is not None and seconds is not None:
        # Times in headers are whole seconds.
        assert abs(found - seconds) <= 1


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"x-ratelimit-remaining-requests": "0"}, True),
        ({"x-ratelimit-remaining-requests": "7"}, False),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-remaining-tokens": "0"}, True),
        ({"x-ratelimit-remaining": "many"}, False),
        ({"anthropic-ratelimit-requests-remaining": "7"}, False),
        (
            {
                "anthropic-ratelimit-requests-remaining": "7",
                "anthropic-ratelimit-input-tokens-remaining": "0",
            },
            True,
        ),
    ],
)
def test_what_remains(headers: dict[str, str], found: bool | None) -> None:
    """Of any limit."""
    assert exhausted(headers) is found
