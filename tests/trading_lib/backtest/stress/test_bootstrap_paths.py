"""Blocks of crises: drawn whole, from crises only, the same for the same seed."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.stress.bootstrap_paths import draw_sessions
from trading_lib.backtest.stress.scenarios import CrisisPathConfig

USABLE = np.zeros(400, dtype=np.bool_)
USABLE[50:120] = USABLE[300:340] = True


def config(**fields: object) -> CrisisPathConfig:
    return CrisisPathConfig.model_validate({"paths": 40, "sessions": 200, "mean_block": 8, "seed": 3, **fields})


def test_only_crisis_sessions_are_drawn_and_both_crises_are() -> None:
    drawn = draw_sessions(USABLE, config())
    assert drawn.shape == (40, 200)
    assert USABLE[drawn].all()
    assert (drawn < 200).any()
    assert (drawn >= 300).any()


def test_blocks_are_consecutive_and_as_long_on_average_as_asked() -> None:
    drawn = draw_sessions(USABLE, config(paths=200))
    goes_on = np.diff(drawn, axis=1) == 1
    # Ends of crises cut blocks short, and a fresh draw may continue by chance.
    assert 0.80 < goes_on.mean() < 0.90
    assert draw_sessions(USABLE, config(mean_block=1)).std() > 0
    assert (np.diff(draw_sessions(USABLE, config(mean_block=1)), axis=1) == 1).mean() < 0.05


def test_the_seed_decides() -> None:
    np.testing.assert_array_equal(draw_sessions(USABLE, config()), draw_sessions(USABLE, config()))
    assert not np.array_equal(draw_sessions(USABLE, config()), draw_sessions(USABLE, config(seed=4)))


def test_a_block_ends_with_its_crisis() -> None:
    single = np.zeros(10, dtype=np.bool_)
    single[4] = True
    assert (draw_sessions(single, config(mean_block=1000)) == 4).all()
