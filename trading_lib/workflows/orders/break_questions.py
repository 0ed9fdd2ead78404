"""Open breaks as questions to the operator at Airflow's Required Actions: settle, or leave open and halted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.domain.errors import InputError
from trading_lib.execution.reconciliation.breaks import BreakKind, BreakStatus
from trading_lib.workflows.books.approvals import APPROVE, REJECT
from trading_lib.workflows.orders.settling_breaks import NOTE_LENGTH, accept_break
from trading_lib.workflows.setup.settings import load_settings

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
FOLLOWS = {BreakKind.TRANSFER: "the money is recorded as capital of the next session"}
KEPT = "the book stays as it is, and the difference is known from now on"


def questions(book: str, settings: Settings | None = None) -> list[Result]:
    """Return a run of reconciliation_review for each open break of a book; its id names the break, asked once."""
    active = settings or load_settings()
    found = BreakStore(active.engine()).breaks(book, statuses=[BreakStatus.OPEN])
    return [
        {"trigger_run_id": f"{book}__break-{one.number}", "conf": {"book": book, "number": one.number}} for one in found
    ]


def asked_in_airflow(book: str, number: int, settings: Settings | None = None) -> Result:
    """Return what is asked about a break; empty when it is settled already."""
    active = settings or load_settings()
    one = BreakStore(active.engine()).break_(number)
    if one.book != book:
        raise InputError(f"break {number} is of book {one.book}, not of {book}", f"start the run with {one.book}")
    if one.status is not BreakStatus.OPEN:
        return {}
    what = " of ".join(filter(None, (str(one.kind), one.symbol)))
    body = (
        f"Account {one.account}: {one.ours} here, {one.broker} at the broker. {one.explanation}. While it is open"
        f" nothing is bought; sales go on. Approved, {FOLLOWS.get(one.kind, KEPT)}; rejected or without an answer it"
        f" stays open. Other ways: trading reconcile --book {book} --accept {number} --as adopted|known|flow."
    )
    return {"book": book, "number": number, "subject": f"Book {book}: settle break {number}, {what}?", "body": body}


def record_response(
    asked: Mapping[str, Any], response: Mapping[str, Any] | None, settings: Settings | None = None
) -> Result:
    """Settle a break by the answer given in Airflow; without one, or after a rejection, it stays open.

    Parameters
    ----------
    response
        chosen_options, params_input, responded_at, responded_by_user; see `airflow_answers.response_to`.
    """
    if response is None:
        return {"settled": False, "detail": "nobody answered; nothing is bought until somebody does"}
    chosen = list(response["chosen_options"])
    if chosen == [REJECT]:
        return {"settled": False, "detail": "rejected: the break stays open, and nothing is bought"}
    if chosen != [APPROVE]:
        raise InputError(
            f"the answer to break {asked['number']} is {chosen}, neither {APPROVE} nor {REJECT}; nothing was stored",
            f"settle it by `trading reconcile --book {asked['book']} --accept {asked['number']}`",
        )
    active = settings or load_settings()
    one = BreakStore(active.engine()).break_(asked["number"])
    if one.status is not BreakStatus.OPEN:
        return {"settled": False, "detail": f"it is {one.status} already, by {one.settled_by}"}
    user = response["responded_by_user"] or {}
    by = str(user.get("name") or user.get("id") or "unknown")
    note = str((response["params_input"] or {}).get("note") or "").strip()[:NOTE_LENGTH]
    done = accept_break(asked["book"], asked["number"], by, note or "approved at Required Actions", None, active)
    return {"settled": True, "settled_as": done["settled_as"], "by": by, "detail": done["did"]}
