"""``trading book deposit``, ``withdraw``, ``transfer`` and ``flows``: capital that comes, goes or moves."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()

BookOption = Annotated[str, typer.Option("--book", help="Book it concerns.", show_default=False)]
AmountOption = Annotated[str, typer.Option("--amount", help="Dollars, at most two decimals.", show_default=False)]
SessionOption = Annotated[
    str, typer.Option("--session", help="Session at whose opening it counts, YYYY-MM-DD.", show_default=False)
]
AccountOption = Annotated[str, typer.Option("--account", help="Account of execution.yaml.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who records it, default the user of this computer.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why, for the record.")]
ReferenceOption = Annotated[
    str | None,
    typer.Option("--reference", help="The same one again records nothing; by default made of all the rest."),
]
CurrencyOption = Annotated[str, typer.Option("--currency", help="Of the account.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Check it, and store nothing.")]
JsonOption = Annotated[bool, JSON_OPTION]


@app.command("deposit")
def deposit(
    book: BookOption,
    amount: AmountOption,
    session: SessionOption,
    account: AccountOption = "main",
    by: ByOption = None,
    note: NoteOption = "",
    reference: ReferenceOption = None,
    currency: CurrencyOption = "USD",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record a deposit. It counts from the session's opening on, as capital and not as profit.

    Example: trading book deposit --book paper --account main --amount 25000 --session 2026-07-01 --by ana
    """
    _record(book, session, amount, None, account, by, note, reference, currency, dry_run, as_json)


@app.command("withdraw")
def withdraw(
    book: BookOption,
    amount: AmountOption,
    session: SessionOption,
    account: AccountOption = "main",
    by: ByOption = None,
    note: NoteOption = "",
    reference: ReferenceOption = None,
    currency: CurrencyOption = "USD",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record a withdrawal, of no more than the cash there is after the buffer. It is no loss.

    Example: trading book withdraw --book paper --account main --amount 4000 --session 2026-07-01 --by ana --dry-run
    """
    _record(book, session, amount, account, None, by, note, reference, currency, dry_run, as_json)


@app.command("transfer")
def transfer(
    book: BookOption,
    amount: AmountOption,
    session: SessionOption,
    target: Annotated[str, typer.Option("--to", help="Account that receives it.", show_default=False)],
    account: AccountOption = "main",
    by: ByOption = None,
    note: NoteOption = "",
    reference: ReferenceOption = None,
    currency: CurrencyOption = "USD",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record a transfer between two accounts of a book.

    Example: trading book transfer --book paper --account etf --to coins --amount 5000 --session 2026-07-01 --by ana
    """
    _record(book, session, amount, account, target, by, note, reference, currency, dry_run, as_json)


@app.command("flows")
def flows(book: BookOption, as_json: JsonOption = False) -> None:
    """List what came to a book, left it and moved within it, and what of it is booked.

    Example: trading book flows --book paper --json
    """
    from trading_lib.workflows.books.flows import flows_listing

    listing = flows_listing(book)
    lines = [_line(flow) for flow in listing["flows"]] or [
        f"no capital came to book {book} or left it since it was opened"
    ]
    lines.append(f"booked: ${float(listing['deposits']):,.2f} in, ${float(listing['withdrawals']):,.2f} out")
    show(listing, as_json, lines)


def _line(flow: dict[str, Any]) -> str:
    where = " to ".join(filter(None, (flow["source"], flow["target"])))
    state = "booked" if flow["booked"] else "waiting"
    note = f", {flow['note']}" if flow["note"] else ""
    amount = f"{float(flow['amount']):>14,.2f}"
    who = f"{flow['reference']} (by {flow['recorded_by']}{note})"
    return f"{flow['session']}  {flow['kind']:<10} {amount}  {where}  {state}  {who}"


def _record(
    book: str,
    session: str,
    amount: str,
    source: str | None,
    target: str | None,
    by: str | None,
    note: str,
    reference: str | None,
    currency: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.books.flows import record_flow

    day, who = parse_session(session), by or getpass.getuser()
    done = record_flow(book, day, amount, source, target, who, note, reference, currency, dry_run)
    if dry_run and not done["recorded"]:
        verb = "could be recorded"
    else:
        verb = "is recorded" if done["recorded"] else "was recorded before"
    where = " to ".join(filter(None, (source, target)))
    line = (
        f"{done['kind']} of ${float(done['amount']):,.2f} ({where}) {verb}: it counts from the opening of session "
        f"{done['session']}; reference {done['reference']}"
    )
    show(done, as_json, [line])
