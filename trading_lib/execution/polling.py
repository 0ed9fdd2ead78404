"""Fills as they come, of a broker that does not stream them: it is asked again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from trading_lib.execution.broker import Execution, Executions

Ask = Callable[[str], Awaitable[Executions]]
Wait = Callable[[], Awaitable[object]]


async def poll_fills(ask: Ask, cursor: str, wait: Wait) -> AsyncIterator[Execution]:
    """Yield every fill after ``cursor`` once, waiting between two questions.

    Parameters
    ----------
    ask
        `Broker.fills_since`.
    wait
        Awaited between two questions; injected, so that nothing here knows a clock.
    """
    told: set[str] = set()
    while True:
        found = await ask(cursor)
        for fill in found.fills:
            if fill.trade_id not in told:
                told.add(fill.trade_id)
                yield fill
        # A cursor that stays where it is repeats its fills; those of an older one do not come again.
        if found.cursor != cursor:
            told = {fill.trade_id for fill in found.fills}
            cursor = found.cursor
        await wait()
