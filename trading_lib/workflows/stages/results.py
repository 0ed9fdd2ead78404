"""Results of the stages: a few figures each, shown by Airflow and printed by ``trading run-daily``.

Rows travel through the database; nothing later decides by these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypeAlias, TypedDict


class Stands(TypedDict):
    """Result for a session that was finished earlier: nothing was done again."""

    session: str
    stands: bool
    book_is_at: str


class Closed(TypedDict):
    """Result for a session that a repair closed: nothing is decided or sent any more."""

    session: str
    closed_by_repair: int


class Ingested(TypedDict):
    """Rows stored; see `fetching.ingest_range`."""

    groups: list[str]
    inserted: int
    revised: int
    unchanged: int
    quarantined: int
    failures: dict[str, str]
    delivered: dict[str, str]
    replaced: dict[str, dict[str, str]]
    stale: dict[str, str]
    abstained: dict[str, str]
    notes: list[str]
    macro: NotRequired[int]
    funding: NotRequired[int]
    positioning: NotRequired[int]
    history_from: NotRequired[str]


class CompletenessChecked(TypedDict):
    """How complete the session's bars are."""

    session: str
    bars: int
    missing: list[str]
    quarantined: list[str]
    ended: list[str]
    warnings: int
    severity: str
    lines: list[str]


class FactorsStored(TypedDict):
    """How many factors were stored."""

    session: str
    factors: int
    values: int


class Scored(TypedDict):
    """What the models said of the session's assets.

    Attributes
    ----------
    said
        In a line, who scored how many assets, or that no model is in use.
    problem
        Why the session goes on without models; "" where nothing is wrong.
    """

    session: str
    said: str
    models: list[dict[str, Any]]
    problem: str


class Published(TypedDict):
    """The payload of the asset market_data for its consumers."""

    session: str
    source: str
    data: str | None
    book: str


class OldPriceLines(TypedDict):
    """Holdings at old prices, and what proceeds closed; absent where there is none."""

    old_prices: NotRequired[list[str]]
    closings: NotRequired[list[str]]


class Settled(OldPriceLines):
    """The book after settlement."""

    session: str
    nav: str
    fills: int
    shadow_fills: NotRequired[int]


class Signalled(TypedDict):
    """Regime and signals."""

    regime: str
    complete: int
    buys: int


class Targeted(TypedDict):
    """Target weights."""

    invested: float
    clipped: list[str]
    sleeve_faults: NotRequired[dict[str, str]]


class Assessed(TypedDict):
    """Risk level and drawdown."""

    level: int
    drawdown: float
    events: int
    rule_faults: NotRequired[list[str]]


class Ordered(TypedDict):
    """Orders decided."""

    orders: int
    new: int
    skipped: Mapping[str, str]


class Placed(TypedDict):
    """Orders sent; held back by a guard, with the reasons; waiting until their broker takes them, or is there again."""

    sent: int
    denied: int
    broker: str
    rejected: NotRequired[int]
    unknown: NotRequired[int]
    held: NotRequired[int]
    held_because: NotRequired[list[str]]
    waiting: NotRequired[int]
    sent_from: NotRequired[str]
    away: NotRequired[Mapping[str, str]]


class FillsReported(TypedDict):
    """Fills of the session, and open orders."""

    filled: int
    working: int
    next_opening: str


class Reconciled(TypedDict):
    """Positions and fills that were reconciled; breaks with real brokers where they were asked."""

    positions: int
    fills: int
    differences: int
    breaks: NotRequired[int]
    halted: NotRequired[bool]


class Reported(OldPriceLines):
    """Summary figures of the session."""

    session: str
    book: str
    nav: str
    positions: int
    drawdown_from_peak: float
    deposits: str
    withdrawals: str
    sessions: int


# In place of a stage's own result.
Over: TypeAlias = Stands | Closed
# Any of the above.
StageResult: TypeAlias = Mapping[str, Any]
