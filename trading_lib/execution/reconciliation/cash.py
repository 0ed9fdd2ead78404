"""What explains a difference of cash: recorded items that add up to it exactly, and as few as possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from trading_lib.execution.reconciliation.breaks import NOTHING, Break, BreakKind, BreakStatus

# Sums of many items would hit any amount by chance, and prove nothing.
MOST_ITEMS = 16
MOST_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class CashItem:
    """An amount by which the broker's cash may differ from the book's, and why.

    Attributes
    ----------
    accepted
        Whether it is a difference that the operator has accepted; such are no breaks.
    """

    kind: BreakKind
    symbol: str
    amount: Decimal
    explanation: str
    accepted: bool = False


def cash_breaks(
    ours: Decimal,
    theirs: Decimal,
    items: tuple[Sequence[CashItem], Sequence[CashItem]],
    traded: bool,
    certain: Sequence[CashItem] = (),
    told: str = "",
) -> Iterator[Break]:
    """Explain a difference of cash, or say that nothing does.

    Parameters
    ----------
    items
        Dividends, the oldest first, and all others. Dividends that a broker has not paid yet are the newest ones, or
        single ones.
    traded
        Whether trades, positions or fills differ as well: then it need not be money that came or went alone.
    certain
        Those of ``items`` that are known to be on one side only: they come first.
    told
        What else the broker tells of its cash, for the operator.
    """
    difference = theirs - ours
    if not difference:
        return
    used = _of_certain(difference, certain, items[1]) or _explaining(difference, *items)
    if used is not None:
        for item in used:
            if not item.accepted:
                yield Break(
                    item.kind,
                    item.symbol,
                    f"{ours:f}",
                    f"{theirs:f}",
                    item.explanation,
                    BreakStatus.EXPLAINED,
                )
        return
    texts = f"{ours:f}", f"{theirs:f}"
    if traded:
        why = f"{difference:+f} that no trade, fee, dividend or recorded flow explains{told}"
        yield Break(BreakKind.CASH, "", *texts, why)
        return
    what = "came" if difference > 0 else "left"
    verb = "deposit" if difference > 0 else "withdraw"
    why = (
        f"{abs(difference):f} {what} without a trade, and no flow is recorded: a transfer (`trading book {verb}`),"
        f" interest or a fee of the account{told}"
    )
    yield Break(BreakKind.TRANSFER, "", *texts, why)


def _of_certain(
    difference: Decimal, certain: Sequence[CashItem], others: Sequence[CashItem]
) -> tuple[CashItem, ...] | None:
    """Return all that is certain, with what was accepted or without, where it is the difference."""
    accepted = [item for item in others if item.accepted]
    for together in ((*certain, *accepted), tuple(certain)):
        if together and sum((item.amount for item in together), NOTHING) == difference:
            return together
    return None


def _explaining(
    difference: Decimal, dividends: Sequence[CashItem], others: Sequence[CashItem]
) -> tuple[CashItem, ...] | None:
    """Return the fewest items that add up to the difference; None where none do."""
    newest = list(dividends[-MOST_ITEMS:])
    unpaid = [(), *(tuple(newest[first:]) for first in range(len(newest) - 1, -1, -1))]
    # What was accepted usually stays, all of it.
    accepted = tuple(item for item in others if item.accepted)
    starts = [(*standing, *part) for standing in ((), accepted) for part in unpaid]
    rest = [*others[-MOST_ITEMS:], *newest]
    candidates = [
        (*start, *some)
        for start in starts
        for count in range(MOST_TOGETHER + 1)
        for some in combinations([one for one in rest if one not in start], count)
    ]
    matching = (one for one in candidates if one and sum((item.amount for item in one), NOTHING) == difference)
    found = min(matching, key=len, default=None)
    return None if found is None else tuple(sorted(found, key=[*newest, *others].index))
