from pathlib import Path

import pytest

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.domain.errors import ConfigurationError


def test_checkout_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADING_INCLUDE", raising=False)
    assert (include_folder() / "alembic" / "env.py").is_file()


def test_variable_names_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_INCLUDE", str(tmp_path))
    assert include_folder() == tmp_path.resolve()


def test_absent_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_INCLUDE", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"TRADING_INCLUDE=.*nowhere"):
        include_folder()
