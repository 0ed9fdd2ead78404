"""Evidence of long campaigns: what ran, on which code, and whether that code has changed since.

A campaign writes ``evidence/NAME.json`` with the hash of the files it covers. CI reads it back: where they have
changed, it says that the campaign has to be run again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "evidence"

MONEY_PATH = (
    "trading_lib/decision.py",
    "trading_lib/session/**/*.py",
    "trading_lib/workflows/trade/tasks.py",
    "trading_lib/workflows/trade/placing.py",
    "trading_lib/workflows/trade/settlement.py",
    "trading_lib/workflows/trade/book_turns.py",
    "trading_lib/workflows/books/repair.py",
    "trading_lib/workflows/trade/daily.py",
    "trading_lib/workflows/trade/sending.py",
    "trading_lib/workflows/orders/order_driver.py",
    "trading_lib/adapters/stores/orders/order_batches.py",
    "trading_lib/workflows/trade/execution_reports.py",
    "trading_lib/workflows/trade/broker_access.py",
    "trading_lib/adapters/brokers/**/*.py",
    "trading_lib/adapters/stores/books/book_store.py",
    "trading_lib/adapters/stores/books/order_store.py",
    "trading_lib/adapters/stores/books/state_store.py",
    "trading_lib/adapters/stores/postgres/immutable_rows.py",
    "trading_lib/domain/book/orders.py",
    "trading_lib/execution/**/*.py",
    "trading_lib/accounting/**/*.py",
)
ORDER_PATH = (
    *MONEY_PATH,
    "trading_lib/adapters/broker_simulator/**/*.py",
    "trading_lib/adapters/stores/orders/*.py",
    "trading_lib/workflows/orders/**/*.py",
)
SESSION_RULES = (
    "trading_lib/risk/**/*.py",
    "trading_lib/portfolio/**/*.py",
    "trading_lib/backtest/compiled/**/*.py",
    "tests/trading_lib/backtest/compiled/test_session_rules.py",
    "tests/trading_lib/backtest/compiled/test_every_session.py",
)
SESSION_ORDERS = (
    "trading_lib/accounting/**/*.py",
    "trading_lib/backtest/compiled/**/*.py",
    "trading_lib/domain/book/holdings.py",
    "trading_lib/execution/**/*.py",
    "trading_lib/orders/**/*.py",
    "trading_lib/session/**/*.py",
    "tests/trading_lib/session/test_both_roads.py",
)
BINANCE = (
    "trading_lib/adapters/brokers/binance/**/*.py",
    "tests/trading_lib/adapters/brokers/binance/**/*.py",
    "tests/peers/binance_account.py",
)
SUPERVISION = (
    "trading_lib/adapters/services/supervision/**/*.py",
    "trading_lib/adapters/services/airflow/server.py",
    "trading_lib/adapters/stores/postgres/database.py",
    "dags/pipeline/defaults.py",
)
WAL = (
    "trading_lib/adapters/backups/wal/*.py",
    "trading_lib/adapters/stores/postgres/embedded_postgres.py",
    "trading_lib/adapters/stores/postgres/server/*.py",
    "trading_lib/monitoring/backup/wal.py",
    "trading_lib/workflows/backups/wal/*.py",
)
BACKUPS = (
    "trading_lib/adapters/backups/*.py",
    "trading_lib/monitoring/backup/manifest.py",
    "trading_lib/workflows/backups/catalogue.py",
    "trading_lib/workflows/backups/create.py",
    "trading_lib/workflows/backups/restore.py",
    "trading_lib/workflows/backups/store.py",
)
COVERED = {
    "book_faults": (*MONEY_PATH, "tests/campaigns/book_faults/*.py"),
    "money_path_mutants": (*MONEY_PATH, "tests/campaigns/mutants/*.py"),
    "session_rule_mutants": (*SESSION_RULES, "tests/campaigns/mutants/*.py"),
    "session_order_mutants": (*SESSION_ORDERS, "tests/campaigns/mutants/*.py"),
    "binance_mutants": (*BINANCE, "tests/campaigns/mutants/binance.py"),
    "wal_kills": (*WAL, "tests/campaigns/wal/*.py"),
    "backup_damages": (*BACKUPS, "tests/campaigns/backups/*.py"),
    "database_outages": (*SUPERVISION, "tests/campaigns/outages/*.py"),
}

# Those of the order path; one that has not been run in full yet has no evidence.
ORDER_CAMPAIGNS = {
    "order_kills": (*ORDER_PATH, "tests/campaigns/order_kills/*.py"),
    "order_clients": (*ORDER_PATH, "tests/campaigns/order_clients/*.py"),
    "order_races": (*ORDER_PATH, "tests/campaigns/order_kills/*.py", "tests/campaigns/order_races/*.py"),
}
# Likewise of models.
MODEL_CAMPAIGNS = {
    "model_evidence": (
        "include/config/learning.yaml",
        "trading_lib/learning/**/*.py",
        "trading_lib/workflows/learning/training/null*.py",
        "tests/builders/learning.py",
        "tests/campaigns/models/*.py",
    ),
}
LATER = ORDER_CAMPAIGNS | MODEL_CAMPAIGNS
COVERED |= {name: LATER[name] for name in LATER if (FOLDER / f"{name}.json").exists()}


def covered_hash(patterns: Sequence[str]) -> str:
    """Hash of every file that a campaign covers, by name and content."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def write_evidence(name: str, result: dict[str, Any], patterns: Sequence[str]) -> Path:
    """Write what a campaign found, with the code it ran on."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    about = {"campaign": name, "commit": commit.strip(), "covered": covered_hash(patterns)}
    about["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    path.write_text(json.dumps(about | result, indent=2) + "\n")
    return path


def read_evidence(name: str) -> dict[str, Any]:
    """Return what a campaign wrote."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def is_current(name: str) -> bool:
    """Whether the code that a campaign covers is still what it ran on."""
    return bool(read_evidence(name)["covered"] == covered_hash(COVERED[name]))
