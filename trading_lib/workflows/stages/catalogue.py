"""The stages of a session in order: the one list for DAGs, command line, daily run and fault tests.

Reading it imports no stage: Airflow reads the DAGs often, and they name stages without running any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.stages.plans import SessionPlan
    from trading_lib.workflows.stages.results import CompletenessChecked, FactorsStored, Scored, StageResult
    from trading_lib.workflows.trade.book_run import BookRun

    DataFunction = Callable[[SessionPlan, Settings | None], CompletenessChecked | FactorsStored | Scored]
    TradeFunction = Callable[[SessionPlan, BookRun | None], StageResult]

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Stage(Generic[F]):
    """A stage of the pipeline.

    Attributes
    ----------
    load
        Imports the stage's function and returns it.
    about
        One line for whoever looks at the stage in Airflow.
    group
        The group of tasks it stands in.
    reads, writes
        Tables, and what it asks beside the database.
    """

    name: str
    load: Callable[[], F]
    about: str
    group: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def doc(self) -> str:
        """What Airflow shows about the task."""
        read, written = ", ".join(self.reads), ", ".join(self.writes) or "nothing"
        return f"{self.about}\n\nReads {read}. Writes {written}."


def _check_completeness() -> DataFunction:
    from trading_lib.workflows.data.tasks import check_completeness

    return check_completeness


def _factors() -> DataFunction:
    from trading_lib.workflows.data.tasks import factors

    return factors


def _score() -> DataFunction:
    from trading_lib.workflows.learning.daily.score import score

    return score


def _recover() -> TradeFunction:
    from trading_lib.workflows.orders.recovery import recover

    return recover


def _settle() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import settle

    return settle


def _signals() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import signals

    return signals


def _targets() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import targets

    return targets


def _risk() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import risk

    return risk


def _orders() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import orders

    return orders


def _place() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import place

    return place


def _report_fills() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import report_fills

    return report_fills


def _reconcile() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import reconcile

    return reconcile


def _report() -> TradeFunction:
    from trading_lib.workflows.trade.tasks import report

    return report


# Task ids of version 0.1, under which runs, XCom values and log lines of then are stored.
EARLIER_NAMES = {"check_completeness": "validate", "report_fills": "fills"}
BARS = ("bars", "macro")
# After the groups are ingested, one task each, and before the asset is published.
DATA_STAGES: tuple[Stage[DataFunction], ...] = (
    Stage(
        "check_completeness",
        _check_completeness,
        "Check whether the bars of the session are complete.",
        "data",
        BARS,
        ("validation_findings",),
    ),
    Stage("factors", _factors, "Compute and store the session's factors.", "data", BARS, ("factor_values",)),
    Stage(
        "score",
        _score,
        "Ask the champion model, and the challenger; nothing where there is none.",
        "data",
        (*BARS, "model_versions", "model_aliases", "model_files"),
        ("model_predictions", "model_readings", "model_events", "model_aliases"),
    ),
)
TRADE_STAGES: tuple[Stage[TradeFunction], ...] = (
    Stage(
        "recover",
        _recover,
        "Find out what became of every order at a real broker, and what filled meanwhile.",
        "prepare",
        ("orders", "fills", "portfolio_state"),
        ("orders", "order_events", "fills", "broker_snapshots", "reconciliation_breaks"),
    ),
    Stage(
        "settle",
        _settle,
        "Bring the book to the session: corporate actions, fills at the opening, marks.",
        "prepare",
        (*BARS, "orders", "portfolio_state"),
        ("fills", "orders", "order_events", "portfolio_state", "trade_history"),
    ),
    Stage(
        "signals",
        _signals,
        "Read the regime and generate the signals.",
        "decide",
        (*BARS, "factor_values"),
        ("decision_stages",),
    ),
    Stage(
        "targets",
        _targets,
        "Blend the sleeves and apply the constraints.",
        "decide",
        (*BARS, "decision_stages", "portfolio_state"),
        ("decision_stages", "signal_log"),
    ),
    Stage(
        "risk",
        _risk,
        "Apply risk control.",
        "decide",
        (*BARS, "decision_stages", "portfolio_state", "risk_state", "approvals"),
        ("decision_stages", "risk_state", "risk_events"),
    ),
    Stage(
        "orders",
        _orders,
        "Decide the orders, and store them as intents with the decision.",
        "trade",
        (*BARS, "decision_stages", "portfolio_state", "risk_state"),
        ("order_intents", "orders", "decision_stages", "decisions"),
    ),
    Stage("place", _place, "Send what is intended, each order once.", "trade", ("orders",), ("orders", "order_events")),
    Stage(
        "report_fills",
        _report_fills,
        "Report the fills of the session and the orders that still work.",
        "trade",
        ("fills", "orders"),
        (),
    ),
    Stage(
        "reconcile",
        _reconcile,
        "Rebuild positions and cash from the fills and compare.",
        "account",
        ("fills", "portfolio_state"),
        (),
    ),
    Stage("report", _report, "Say in a few figures what the session came to.", "account", ("portfolio_state",), ()),
)


def in_group(group: str) -> tuple[Stage[TradeFunction], ...]:
    """Return the trading stages of a group of tasks."""
    return tuple(stage for stage in TRADE_STAGES if stage.group == group)
