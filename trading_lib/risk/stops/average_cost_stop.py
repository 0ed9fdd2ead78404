"""The stop from average cost: the universe's two bounds of an asset, one to halve and one to close.

See docs/specification.md#asset-stops.
"""

from __future__ import annotations

from trading_lib.domain.book.portfolio import Position
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.levels.drawdown_kernels import EXIT, NO_STOP, loss_from_cost, stop_of


@compiled
def average_cost_stop(mark: int, average_cost: float, bounds: FloatArray, halved: bool) -> tuple[int, float, float]:
    """Stop, the loss from average cost, and the bound it exceeded.

    Parameters
    ----------
    mark
        Millionths of a dollar; ``average_cost`` is in dollars.
    bounds
        Shape (2,): losses above which a position is halved once, and closed.
    """
    loss = loss_from_cost(mark, average_cost)
    stop = stop_of(loss, bounds[0], bounds[1], halved) if loss > 0.0 else NO_STOP
    return stop, loss, bounds[1] if stop == EXIT else bounds[0]


def describe(symbol: str, position: Position, loss: float, bound: float) -> str:
    """Return the reason of the stop."""
    return f"{symbol} lost {loss:.1%} from its average cost {position.average_cost:.2f}, more than {bound:.0%}"
