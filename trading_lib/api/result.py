"""What `trading_lib.backtest` returns."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from trading_lib.adapters.files.export_folder import check_export_folder, write_export
from trading_lib.adapters.files.output_file import check_writable, write_whole
from trading_lib.api.days import Day, day_of
from trading_lib.api.explanation import Explanation
from trading_lib.api.notebook import page, shown
from trading_lib.api.prices import Prices
from trading_lib.api.setup import RUNNING, Setup
from trading_lib.api.tables import by_session, frame_of
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.errors import SessionError
from trading_lib.workflows.explain.recomputed import evidence_from
from trading_lib.workflows.explain.symbol import explain_symbol
from trading_lib.workflows.research.backtest import BacktestRun, add_intervals, draw, tear_sheet
from trading_lib.workflows.research.export import (
    check_format,
    exported_files,
    fills_table,
    nav_table,
    orders_table,
    positions_table,
)
from trading_lib.workflows.research.strategy_reports import warning_lines

File = str | PathLike[str]

# The first of them, in this order; the other metrics of the table follow.
HEADLINES = (
    "initial_cash",
    "final_nav",
    "profit",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "deflated_sharpe",
    "max_drawdown",
    "calmar",
    "win_rate",
    "profit_factor",
    "round_trips",
    "monthly_turnover",
    "annual_cost_drag",
    "cash_rate",
    "sessions",
    "orders",
    "trades",
    "max_risk_level",
)


class BacktestResult:
    """A finished backtest, costs included: the figures and series of ``trading backtest`` on the same inputs.

    S is the number of sessions. Numbers that cannot be computed are None in `metrics`, and no DataFrame holds NaN.

    Attributes
    ----------
    report
        All that ``trading backtest --out`` writes, as docs/research/backtest.md lists it.
    run
        The run behind it, for what is not published here.
    """

    def __init__(self, run: BacktestRun, prices: Prices, setup: Setup, flows: tuple[Flow, ...] = ()) -> None:
        self.run, self._flows = run, flows
        self.report: dict[str, Any] = dict(run.report)
        self._prices, self._setup = prices, setup

    @property
    def metrics(self) -> dict[str, float | None]:
        """Every figure by name (docs/research/metrics.md), your own included; None where one cannot be computed.

        Rates are fractions a year (0.05 is 5 %), drawdown and win rate fractions, turnover a fraction a month, money
        dollars.
        """
        return {name: self.report[name] for name in dict.fromkeys((*HEADLINES, *self.run.analysis.table))}

    @cached_property
    def values(self) -> pd.DataFrame:
        """One row a session, shape (S, 6), indexed by ``session`` (datetime64[us]).

        Columns: nav (float64, dollars at the close, costs included), drawdown (float64, fraction below the highest
        value so far), invested (float64, fraction of the value in assets), risk_level (int64, 0 to 4), regime (str, of
        ^VIX), flow (float64, dollars deposited less withdrawn at the opening).
        """
        return by_session(frame_of(nav_table(self.run)))

    @cached_property
    def positions(self) -> pd.DataFrame:
        """One row for each asset held or wanted in a session.

        Columns: session (datetime64[us]), symbol (str), quantity (float64, units at the close), held_weight,
        wanted_weight, allowed_weight (float64, fractions of net asset value: held, wanted before any limit, left by
        the limits).
        """
        return frame_of(positions_table(self.run))

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row an order, those that the pre-trade checks refused included.

        Columns: client_order_id (str), session (datetime64[us], of the decision; it trades at the next opening),
        symbol, side (str, BUY or SELL), quantity (float64, units), expected_price (float64, dollars a unit),
        estimated_commission (float64, dollars), weight_change (float64, fraction of net asset value), purpose (str,
        REBALANCE or RISK), reason (str), cancelled_quantity (float64, units its opening did not fill),
        cancelled_because, denied_because (str, empty where it was not).
        """
        return frame_of(orders_table(self.run))

    @cached_property
    def fills(self) -> pd.DataFrame:
        """One row an execution.

        Columns: trade_id, client_order_id (str), session (datetime64[us], that books it), filled_at
        (datetime64[us, UTC]), symbol, side (str), quantity (float64, units), price (float64, dollars a unit, slippage
        included), reference_price (float64, dollars a unit, the opening), commission (float64, dollars), broker (str).
        """
        return frame_of(fills_table(self.run))

    @property
    def start(self) -> date:
        """First session."""
        return date.fromisoformat(self.report["from"])

    @property
    def end(self) -> date:
        """Last session."""
        return date.fromisoformat(self.report["to"])

    @property
    def strategy(self) -> str:
        """Sleeves with their budgets in per cent, e.g. "trend 50 + rotation 50"."""
        return str(self.report["strategy"])

    @property
    def data_source(self) -> str:
        """Where the prices came from."""
        return str(self.report["data_source"])

    @property
    def simulated(self) -> bool:
        """Whether any of the prices is made up."""
        return self.run.simulated

    @property
    def config_hash(self) -> str:
        """What names the configuration, to quote beside any figure."""
        return str(self.report["config_hash"])

    @property
    def portfolio(self) -> Portfolio:
        """Holdings, cash and totals after the last session."""
        return self.run.result.portfolio

    @property
    def risk(self) -> RiskState:
        """State of risk control after the last session."""
        return self.run.result.risk

    @property
    def warnings(self) -> tuple[str, ...]:
        """Lines about what went wrong with a strategy, with file and line of its code; empty where nothing did."""
        return tuple(warning_lines(self.report))

    def picture(self, path: File | None = None) -> bytes:
        """Draw value, drawdown and risk levels.

        Parameters
        ----------
        path
            Write the PNG there as well.
        """
        content = draw(self.run)
        if path is not None:
            write_whole(Path(path), content)
        return content

    def tear_sheet(self, path: File | None = None) -> str:
        """Make the tear sheet, one self-contained interactive page, with confidence intervals.

        Parameters
        ----------
        path
            Write it to this HTML file as well.

        Returns
        -------
        str
            The page.

        Raises
        ------
        InputError
            When the file cannot be written.
        """
        if path is not None:
            check_writable(Path(path))
        if self.run.analysis.intervals is None:
            self.run = add_intervals(self.run)
            self.report |= {"confidence_intervals": self.run.report["confidence_intervals"]}
        content = tear_sheet(self.run)
        if path is not None:
            write_whole(Path(path), content)
        return content.decode()

    def export(self, folder: File, kind: str = "csv") -> Path:
        """Write values, positions, orders and fills with a manifest, as ``trading backtest --export`` does.

        Parameters
        ----------
        kind
            "csv" or "parquet"; money, prices and quantities are exact decimals in both.

        Raises
        ------
        InputError
            When the folder holds anything but an earlier export, or cannot be written.
        """
        place = Path(folder)
        check_format(kind)
        check_export_folder(place)
        write_export(place, exported_files(self.run, kind))
        return place

    def explain(self, symbol: str, session: Day) -> Explanation:
        """Say why an asset has its weight and its order in a session, by trading the run again up to it.

        Parameters
        ----------
        session
            Of the run, "YYYY-MM-DD" or a date. The fill comes a session later, so that of the last day of `Prices` is
            not known.

        Raises
        ------
        UnknownSymbolError
            When the symbol is not in the universe.
        SessionError
            When the day is no session, or not one of the run's.

        Examples
        --------
        >>> import trading_lib as tl
        >>> result = tl.backtest(start="2018-01-02", end="2018-03-29")
        >>> result.explain("GLD", "2018-02-28").report["session"]
        '2018-02-28'
        """
        with RUNNING:
            return self._explained(symbol, day_of(session, "session"))

    def _explained(self, symbol: str, day: date) -> Explanation:
        settings = self._setup.settings()
        settings.configuration.universe[symbol]  # an unknown symbol is named before anything is run
        settings.calendar.position(day)
        if not self.start <= day <= self.end:
            raise SessionError(f"session {day} is not of this run", f"choose one from {self.start} to {self.end}")
        following = settings.calendar.next(day)
        until = following if self._prices.end is None else min(following, self._prices.end)
        loaded = self._prices.loaded(settings, until)
        evidence = evidence_from(settings, loaded, day, self.start, self._flows)
        return Explanation(explain_symbol(evidence, symbol))

    def __repr__(self) -> str:
        figures = self.metrics
        rates = (
            f"{shown('annual_return', figures['annual_return'])} a year, Sharpe {shown('sharpe', figures['sharpe'])}, "
            f"drawdown {shown('max_drawdown', figures['max_drawdown'])}"
        )
        return (
            f"<BacktestResult: {self.strategy} on {self._prices_words}, {self.start} to {self.end}, costs included: "
            f"{shown('initial_cash', figures['initial_cash'])} to {shown('final_nav', figures['final_nav'])}, {rates}>"
        )

    @property
    def _prices_words(self) -> str:
        return "SIMULATED prices" if self.simulated else f"prices of {self.data_source}"

    def _repr_html_(self) -> str:
        about = (
            f"{self._prices_words}, {self.start} to {self.end}, costs included; configuration {self.config_hash}, "
            f"code {self.report['code_version']}"
        )
        title, table = f"Backtest of {self.strategy}", self.run.analysis.table
        return page(title, about, self.picture(), self.metrics, self.warnings, table)
