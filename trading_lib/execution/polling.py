"""Fills of a broker that does not stream them, by polling."""

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
    reported: set[str] = set()
    while True:
        page = await ask(cursor)
        for fill in page.fills:
            if fill.trade_id not in reported:
                reported.add(fill.trade_id)
                yield fill
        # A cursor that does not advance returns its fills again; fills before it do not return.
        if page.cursor != cursor:
            reported = {fill.trade_id for fill in page.fills}
            cursor = page.cursor
        await wait()
