"""``trading broker-simulator``: Alpaca and Binance on this machine, to try and to test the live path with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

if TYPE_CHECKING:
    from trading_lib.adapters.broker_simulator.simulator import Simulator

app = typer.Typer(no_args_is_help=True)


@app.command(name="broker-simulator")
def broker_simulator(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.", show_default=True)
    ] = 8765,
    seed: Annotated[int, typer.Option("--seed", help="Of ids, prices and random faults.")] = 0,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="Fault script, YAML or JSON; without it none.", show_default=False)
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", help="File of the ledger; without it in memory only.", show_default=False),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="YAML of symbol: price; the others follow the seed.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Time at which its clock stands, ISO; without it the real time.", show_default=False),
    ] = None,
    cash: Annotated[
        str | None,
        typer.Option(
            "--cash",
            metavar="ALPACA,BINANCE",
            help="Dollars and USDT that new accounts begin with; without it 100000,100000.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Simulate Alpaca and Binance spot until it is ended; nothing real is reached.

    Example: trading broker-simulator --port 8765 --seed 7 --ledger broker.jsonl
    """
    import asyncio
    import signal

    from trading_lib.adapters.broker_simulator.server import serve
    from trading_lib.adapters.broker_simulator.start import create_simulator

    simulator = create_simulator(seed, faults, ledger, prices, at, cash)

    def started(address: str) -> None:
        record = _record(simulator, address)
        show(record, as_json, list(_lines(record)))

    async def run() -> None:
        serving = asyncio.create_task(serve(simulator, port, started))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            simulator.ledger.close()

    asyncio.run(run())


def _record(simulator: Simulator, address: str) -> dict[str, Any]:
    """Return where it is, and what the system's environment needs to reach each account."""
    from trading_lib.adapters.broker_simulator.transport import stream_address
    from trading_lib.adapters.brokers.alpaca.connection import keys as alpaca
    from trading_lib.adapters.brokers.binance.access import connection as binance
    from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE

    variables = {"alpaca": alpaca, "binance": binance}
    accounts = []
    for key, known in simulator.keys.items():
        account = simulator.exchange.state.accounts[known.account]
        names = variables[account.face]
        accounts.append(
            {
                "broker": account.face,
                "endpoint": account.endpoint,
                "account": account.number,
                "environment": {names.KEY_VARIABLE: key, names.SECRET_VARIABLE: known.secret},
            }
        )
    return {
        "address": address,
        "stream": stream_address(address),
        "environment": {SIMULATOR_VARIABLE: address},
        "seed": simulator.seed,
        "ledger": None if simulator.ledger.path is None else str(simulator.ledger.path),
        "faults": len(simulator.faults.script.faults),
        "accounts": accounts,
    }


def _lines(record: dict[str, Any]) -> Iterator[str]:
    yield f"broker simulator (seed {record['seed']}) at {record['address']}"
    yield f"ledger: {record['ledger'] or 'in memory only; --ledger FILE keeps it'}"
    yield "point the system to it, and to an account, by its environment; end it with Ctrl-C:"
    for name, value in record["environment"].items():
        yield f"  {name}={value}"
    for account in record["accounts"]:
        keys = " ".join(f"{name}={value}" for name, value in account["environment"].items())
        yield f"  {account['broker']} {account['endpoint']:<5} {account['account']:<12}  {keys}"
