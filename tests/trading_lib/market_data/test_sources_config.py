"""sources.yaml: the shipped one loads, and what cannot be meant is refused with the key's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.domain.errors import ConfigurationError
from trading_lib.market_data.config import Route, SourcesConfig
from trading_lib.market_data.source_order import source_order
from trading_lib.workflows.setup.configuration import load_configuration

SHIPPED = include_folder() / "config"


def load(tmp_path: Path, variables: dict[str, str] | None = None, **changes: object) -> SourcesConfig:
    for path in SHIPPED.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    content = yaml.safe_load((SHIPPED / "sources.yaml").read_text())
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(content | changes))
    return load_configuration(tmp_path, variables or {}).sources


def test_the_shipped_order_is_the_designs(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.order[Route.US_ETF] == ("polygon", "tiingo", "yfinance")
    assert config.order[Route.CRYPTO] == ("binance", "bybit", "yfinance")
    assert (config.cache.memory_requests, config.cache.retention_days) == (100, 30)
    order = source_order(load_configuration(SHIPPED, {}).universe, config)
    assert order.bars["SPY"][0] == "polygon"
    assert order.bars["BTC-USD"][0] == "binance"
    assert order.bars["^VIX"] == config.order[Route.VOLATILITY_INDEX]
    assert order.macro == ("fred",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order": {"US_ETF": ["tiingo"]}}, "order says nothing about CRYPTO"),
        ({"rate_limits": {"nobody": {"requests": 5, "seconds": 60}}}, "rate_limits names nobody"),
        ({"rate_limits": {"tiingo": {"requests": 5, "seconds": 60, "burst": 9}}}, "rate_limits.tiingo"),
        ({"retries": {}}, "unknown key retries"),
        ({"retry": {"attempts": 0, "first_wait_seconds": 1, "longest_wait_seconds": 1}}, "retry.attempts"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(tmp_path, **changes)


def test_a_source_listed_twice_is_refused(tmp_path: Path) -> None:
    order = {route.value: ["tiingo", "tiingo"] for route in Route}
    with pytest.raises(ConfigurationError, match="lists tiingo twice"):
        load(tmp_path, order=order)


def test_the_cache_address_comes_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    config = load(tmp_path, {"TRADING_SOURCES__CACHE__REMOTE_URL": "redis://:hunter2@host/0"})
    assert config.cache.remote_url is not None
    assert config.cache.remote_url.get_secret_value() == "redis://:hunter2@host/0"
    assert "hunter2" not in repr(config)
