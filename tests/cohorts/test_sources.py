"""Which files a cohort is made from, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from daydream.cohorts.sources import check_cohorts
from daydream.errors import InputError
from daydream.settings import load_settings
from support.project import STAGES


@pytest.mark.parametrize(
    ("known", "remedy"),
    [("reisen", "did you mean 'reisen'?"), ("other", "known: 'other'"), (None, "none is defined")],
)
def test_a_cohort_without_a_spec_is_not_proposed_for_itself(
    tmp_path: Path, known: str | None, remedy: str
) -> None:
    """Its directory may be there, as it is to hold the spec; what has a spec is proposed."""
    (tmp_path / "reise/spec/items").mkdir(parents=True)
    if known:
        (tmp_path / known / "spec").mkdir(parents=True)
        (tmp_path / known / "spec/config.yaml").write_text("axes: {}\n")
    settings = load_settings(
        {
            "cohorts": ["reise"],
            "stages": STAGES,
            "specs_dir": str(tmp_path),
            "default_provider": "echo",
            "providers": {"echo": {"type": "function", "path": "echo.py"}},
        },
    )
    with pytest.raises(InputError) as raised:
        check_cohorts(settings, settings.cohorts)
    found = "cohort 'reise' has neither config.yaml nor membership.csv here"
    assert str(raised.value).endswith(f"{found}; write its spec; {remedy}")
