"""``trading simulate-orders``: the order path under virtual time, with crashes and a broker that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, aligned, progress, show

if TYPE_CHECKING:
    from trading_lib.execution.simulation.campaign import Campaign

app = typer.Typer(no_args_is_help=True)
FIRST_LINES = 40


@app.command(name="simulate-orders")
def simulate_orders(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many histories.")] = 1000,
    start: Annotated[int, typer.Option("--from", min=0, help="Seed of the first.")] = 0,
    mutant: Annotated[
        str | None,
        typer.Option("--mutant", help="Plant a bug by name, and stop at the first history that finds it."),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Send orders in histories of crashes and lost answers, and look for what is doubled, lost or stuck.

    The same steps and rules run as in trading; broker, database and time are models, and the broker's ledger judges.
    The same seeds give the same digest. Exit code 1 where something is found.

    Example: trading simulate-orders --seeds 5000 --from 100000
    """
    campaign = _play(range(start, start + seeds), mutant)
    record = campaign.as_dict()
    show(record, as_json, _lines(record))
    if campaign.first_failure is not None:
        raise typer.Exit(1)


def _play(seeds: range, mutant: str | None) -> Campaign:
    from trading_lib.execution.order_path.sending_policy import SendingPolicy
    from trading_lib.execution.simulation.campaign import run_campaign
    from trading_lib.execution.simulation.mutants import planted

    def told(done: int) -> None:
        progress(f"{done} of {len(seeds)} histories")

    if mutant is None:
        return run_campaign(seeds, progress=told)
    with planted(mutant, SendingPolicy()) as policy:
        return run_campaign(seeds, policy, told, until_failure=True)


def _lines(record: dict[str, Any]) -> list[str]:
    failure = record["first_failure"]
    told = {**record, "first_failure": None if failure is None else f"seed {failure['seed']}"}
    return [*aligned(told), *(failure["trace"][:FIRST_LINES] if failure else ())]
