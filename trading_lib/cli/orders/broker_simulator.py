"""``trading broker-simulator``: Alpaca and Binance on this machine, to try and to test the live path with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Simulate Alpaca and Binance spot until it is ended; nothing real is reached.

    Example: trading broker-simulator --port 8765 --seed 7 --ledger broker.jsonl
    """
    import asyncio
    import signal

    from trading_lib.adapters.broker_simulator.server import serve
    from trading_lib.adapters.broker_simulator.start import create_simulator

    simulator = create_simulator(seed, faults, ledger, prices, at)

    def started(address: str) -> None:
        show(_record(simulator, address), as_json, _lines(simulator, address))

    async def run() -> None:
        serving = asyncio.create_task(serve(simulator, port, started))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            simulator.ledger.close()

    asyncio.run(run())


def _record(simulator: Simulator, address: str) -> dict[str, object]:
    from trading_lib.adapters.broker_simulator.transport import stream_address
    from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE

    return {
        "address": address,
        "stream": stream_address(address),
        "environment": {SIMULATOR_VARIABLE: address},
        "seed": simulator.seed,
        "ledger": None if simulator.ledger.path is None else str(simulator.ledger.path),
        "faults": len(simulator.faults.script.faults),
        "accounts": [
            {
                "broker": account.face,
                "endpoint": account.endpoint,
                "account": account.number,
                "key": key,
                "secret": keys.secret,
            }
            for key, keys in simulator.keys.items()
            if (account := simulator.exchange.state.accounts[keys.account])
        ],
    }


def _lines(simulator: Simulator, address: str) -> list[str]:
    from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE

    kept = simulator.ledger.path or "in memory only; --ledger FILE keeps it"
    lines = [f"broker simulator (seed {simulator.seed}) at {address}", f"ledger: {kept}", "accounts and their keys:"]
    for key, keys in simulator.keys.items():
        account = simulator.exchange.state.accounts[keys.account]
        lines.append(f"  {account.face} {account.endpoint:<5}  {account.number:<13} {key}  {keys.secret}")
    return [*lines, f"point the system to it with {SIMULATOR_VARIABLE}={address}; end it with Ctrl-C"]
