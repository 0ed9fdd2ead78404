"""What every test may ask for."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test is red because the machine is busy, so no example has a deadline. In CI the same examples every time: a red
# run must be red for everybody. At home other ones each time find more.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")

pytest_plugins = ["tests.environment.database"]


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what now lives to the end: it went through all of it for half a second."""
    gc.collect()
    gc.freeze()


REQUIRE_SHARED_VARIABLE = "TRADING_REQUIRE_SHARED"


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_market_data(repository_root: Path) -> Path:
    """The folder of real prices beside the checkout; a test that needs it is skipped where it is absent.

    With TRADING_REQUIRE_SHARED=1, as in CI, it fails instead: a check that never runs checks nothing.
    """
    return _beside_checkout(repository_root, "market-data", "the real prices")


@pytest.fixture(scope="session")
def shared_api_samples(repository_root: Path) -> Path:
    """The folder of recorded answers of data vendors beside the checkout; see `shared_market_data`."""
    return _beside_checkout(repository_root, "api-samples", "the recorded answers")


@pytest.fixture(scope="session")
def shared_cases(repository_root: Path) -> Path:
    """The folder of small failing inputs beside the checkout; see `shared_market_data`."""
    return _beside_checkout(repository_root, "cases", "the small failing inputs")


def _beside_checkout(repository_root: Path, name: str, what: str) -> Path:
    folder = repository_root.parent / "shared" / name
    if folder.is_dir():
        return folder
    reason = f"{what} are not beside the checkout ({folder})"
    if os.environ.get(REQUIRE_SHARED_VARIABLE) == "1":
        pytest.fail(reason)
    pytest.skip(reason)
