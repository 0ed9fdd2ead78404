"""What tasks find loaded: all machine code a session needs, or nothing compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = """
from numba.core import event
from trading_lib.workflows.operations.preload import load_machine_code
compiled = []
class Watch(event.Listener):
    def on_start(self, event): compiled.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event): pass
with event.install_listener("numba:compile", Watch()):
    loaded = load_machine_code()
print(loaded, len(compiled))
"""


def test_what_is_not_compiled_yet_is_left_to_the_first_task(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "TRADING_HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = str(ROOT)
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    # The listener of the test is told of the kernel that was refused.
    assert answer.stdout.split() == ["False", "1"]
    assert list(tmp_path.rglob("*.nbc")) == []


def test_the_loaded_sessions_trade(tmp_path: Path) -> None:
    """Otherwise kernels of settlement and orders would not be among what is loaded."""
    from tests.builders.settings import make_settings
    from trading_lib.adapters.sources.simulated.source import SimulatedMarket
    from trading_lib.session.step import trade_sessions
    from trading_lib.workflows.data.market import market_from_source, session_input
    from trading_lib.workflows.operations.preload import LAST, SESSIONS

    settings = make_settings("", tmp_path)
    universe = settings.configuration.universe
    source = SimulatedMarket(universe)
    market = market_from_source(source, universe, settings.calendar, LAST, settings.clock()).market
    row = market.row(LAST)
    outcomes = list(trade_sessions(session_input(settings, market), range(row - SESSIONS + 1, row + 1)))
    assert any(outcome.fills for outcome in outcomes)


def test_code_of_users_stays_out_of_the_scheduler(tmp_path: Path) -> None:
    from tests.builders.settings import make_settings
    from trading_lib.strategies.config import SleeveConfig
    from trading_lib.workflows.operations.preload import _ours

    config = make_settings("", tmp_path).configuration.decision
    theirs = SleeveConfig(strategy="mine.py:Mine", name="mine", budget=0.1)
    strategy = config.strategy.model_copy(update={"sleeves": (*config.strategy.sleeves, theirs)})
    found = _ours(config.model_copy(update={"strategy": strategy})).strategy.sleeves
    assert found == config.strategy.sleeves
