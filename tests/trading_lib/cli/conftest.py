"""Every test of the command line has a home folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_lib.adapters.logs import structured


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Point the environment at an empty home folder."""
    for name in ("MLFLOW_TRACKING_URI", "TRADING_DATABASE_URL", "TRADING_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    yield tmp_path
    structured.stop()
