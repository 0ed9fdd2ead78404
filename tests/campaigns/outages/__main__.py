"""Twenty sessions through Airflow while their database is stopped again and again: `make outages`, half an hour.

A stack of its own backfills the sessions' market data, and then decides and trades them in order. Five times the
database is stopped for 20 s. Every run must end green, and every row and the net asset value must be those of an
undisturbed run of the same tasks on a database of its own. Writes evidence/database_outages.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from tests.campaigns.evidence import COVERED, write_evidence
from tests.campaigns.outages.interruptions import Interruptions
from tests.campaigns.outages.rows import differing_tables
from tests.e2e.backfill_sessions import ROOT, Range, _environment
from tests.e2e.stack_client import RunningStack, insistently
from trading_lib.adapters.services.airflow.rest import AirflowClient
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.domain.market.sessions import exchange_sessions, parse_session
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.daily import run_daily

BOOK = "demo-outages"
SOURCE = "simulated"
UNDISTURBED = "undisturbed"
FINISHED = ("success", "failed")
HOURS = 1.5


def main() -> None:
    """Run the campaign; exit code 1 unless everything came out equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="2022-06-15", help="last session, YYYY-MM-DD")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--outages", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    last = parse_session(given.to)
    sessions = tuple(exchange_sessions().offset(last, -number) for number in reversed(range(given.sessions)))
    home = Path(tempfile.mkdtemp(prefix="its")).resolve()
    stack = RunningStack(home, _environment(home, own_ports=True), ROOT)
    began = time.monotonic()
    try:
        result = Campaign(stack, sessions, given.outages, given.seconds).run()
    finally:
        stack.trading("stack", "down")
    result["minutes"] = round((time.monotonic() - began) / 60, 1)
    passed = not result["differing_tables"] and result["failed_runs"] == [] and result["same_nav"]
    if passed:
        write_evidence("database_outages", result, COVERED["database_outages"])
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(result, indent=2))
    sys.exit(0 if passed else 1)


class Campaign:
    """One stack, its sessions, and the interruptions."""

    def __init__(self, stack: RunningStack, sessions: tuple[date, ...], outages: int, seconds: float) -> None:
        self.stack = stack
        self.sessions = sessions
        self.outages = outages
        self.seconds = seconds
        self.states: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """Play everything and compare."""
        for arguments in (("stack", "up"), ("db", "upgrade")):
            done = self.stack.trading(*arguments)
            assert done.returncode == 0, done.stderr
        server = EmbeddedPostgres(self.stack.home / "postgres")
        settings = replace(load_settings(self.stack.environment), database_url=server.url("trading"))
        self._load_history(settings)
        interruptions = Interruptions(
            server.folder, self._plan(), self.seconds, lambda: len(self.states), self._healthy, say
        )
        interruptions.start()
        self._backfill()
        for session in self.sessions:
            self._trade(session)
        interruptions.join(timeout=600)
        assert interruptions.error is None, interruptions.error
        played = {"states": self.states, "outages": interruptions.as_dicts()}
        (self.stack.home / "played.json").write_text(json.dumps(played, indent=2))
        return self._compared(settings, server) | {"outages": interruptions.as_dicts()}

    def _plan(self) -> tuple[int, ...]:
        """Finished runs before each interruption: spread over both halves, none at the very end."""
        runs = 2 * len(self.sessions)
        return tuple(round(runs * (number + 0.5) / self.outages) for number in range(self.outages))

    def _load_history(self, settings: Settings) -> None:
        before = exchange_sessions().previous(self.sessions[0])
        plan = market_data.plan(self.sessions[0].isoformat(), SOURCE, None, BOOK, settings)
        fetching.ingest_history(plan, settings, before)

    def _backfill(self) -> None:
        first, last = Range(self.sessions, {}).dates
        body = {
            "dag_id": "market_data",
            "from_date": first,
            "to_date": last,
            "max_active_runs": 2,
            "reprocess_behavior": "failed",
            "dag_run_conf": {"source": SOURCE, "book": BOOK},
        }
        self.stack.airflow("POST", "/backfills", json=body)

        def attempt() -> bool | None:
            parameters = {"run_type": "backfill", "limit": 100}
            runs = insistently(
                lambda: self.stack.airflow("GET", "/dags/market_data/dagRuns", params=parameters)["dag_runs"]
            )
            self.states |= {
                f"market_data {run['dag_run_id']}": run["state"] for run in runs if run["state"] in FINISHED
            }
            return True if len(self.states) == len(self.sessions) else None

        assert Patience(limit=HOURS * 3600, interval=2.0).wait_for(attempt), self.states

    def _trade(self, session: date) -> None:
        run_id = f"outages__{session}"
        conf = {"session": session.isoformat(), "source": SOURCE, "book": BOOK}
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        path = "/dags/trade_daily/dagRuns"

        def start() -> None:
            try:
                self.stack.airflow("POST", path, json=body)
            except AssertionError as error:
                # An answer may have been lost after the run was created.
                if "already exists" not in str(error):
                    raise

        insistently(start)

        def attempt() -> str | None:
            state = str(insistently(lambda: self.stack.airflow("GET", f"{path}/{run_id}"))["state"])
            return state if state in FINISHED else None

        state = Patience(limit=HOURS * 3600, interval=1.0).wait_for(attempt)
        assert state is not None, run_id
        self.states[f"trade_daily {run_id}"] = state
        say(f"{session} {state}")

    def _healthy(self) -> bool:
        return not AirflowClient(self.stack.airflow_url, "", "").missing_components()

    def _compared(self, settings: Settings, server: EmbeddedPostgres) -> dict[str, Any]:
        server.create_databases([UNDISTURBED])
        upgrade(server.url(UNDISTURBED))
        undisturbed = replace(settings, database_url=server.url(UNDISTURBED))
        self._load_history(undisturbed)
        for session in self.sessions:
            run_daily(market_data.plan(session.isoformat(), SOURCE, None, BOOK, undisturbed), undisturbed)
        engines = settings.engine(), undisturbed.engine()
        differing, equal = differing_tables(*engines, BOOK, self.sessions[-1])
        navs = [[str(StateStore(engine).portfolio(BOOK, day).nav) for day in self.sessions] for engine in engines]  # type: ignore[union-attr]
        status = json.loads(self.stack.trading("stack", "status", "--json").stdout)
        return {
            "sessions": len(self.sessions),
            "from": self.sessions[0].isoformat(),
            "to": self.sessions[-1].isoformat(),
            "runs": len(self.states),
            "failed_runs": sorted(name for name, state in self.states.items() if state != "success"),
            "tries_of_tasks": self._tries(),
            "restarts": {service["name"]: service["restarts"] for service in status["services"]},
            "nav": navs[0][-1],
            "same_nav": navs[0] == navs[1],
            "equal_rows": equal,
            "differing_tables": differing,
        }

    def _tries(self) -> dict[str, int]:
        """Number of the last try -> how many tasks ended with it."""
        counts: dict[str, int] = {}
        for dag in ("market_data", "trade_daily"):
            for run in self.stack.airflow("GET", f"/dags/{dag}/dagRuns", params={"limit": 100})["dag_runs"]:
                path = f"/dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances"
                for task in self.stack.airflow("GET", path, params={"limit": 100})["task_instances"]:
                    key = str(task["try_number"])
                    counts[key] = counts.get(key, 0) + 1
        return dict(sorted(counts.items()))


def say(line: str) -> None:
    """Tell who watches."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
