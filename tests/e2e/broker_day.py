"""What the end-to-end day at simulated brokers needs: a project with two accounts, and the simulator as a process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

SECONDS = 30
ACCOUNTS: list[dict[str, Any]] = [
    {
        "name": "stocks",
        "broker": "alpaca",
        "endpoint": "paper",
        "currency": "USD",
        "asset_classes": ["US_ETF"],
        "share": "0.9",
    },
    {
        "name": "coins",
        "broker": "binance",
        "endpoint": "paper",
        "currency": "USDT",
        "as_usd": True,
        "asset_classes": ["CRYPTO"],
        "share": "0.1",
    },
]


def write_configuration(root: Path, folder: Path) -> Path:
    """Copy the shipped configuration, with accounts at Alpaca and Binance; returns its folder."""
    shutil.copytree(root / "include", folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(execution | {"accounts": ACCOUNTS}), encoding="utf-8")
    return folder / "config"


@dataclass(frozen=True)
class ServedSimulator:
    """A broker simulator in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    environment: dict[str, str]

    @classmethod
    def start(cls, at: str, ledger: Path, root: Path, environment: Mapping[str, str]) -> ServedSimulator:
        """Start it with its clock at ``at``, and read from what it prints where it is and which keys there are."""
        program = "from trading_lib.cli import main; main()"
        options = ("--port", "0", "--seed", "7", "--ledger", str(ledger), "--at", at, "--json")
        process = subprocess.Popen(
            [sys.executable, "-c", program, "broker-simulator", *options],
            cwd=root,
            env=dict(environment),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        told = _first_object(process.stdout)
        keys = {
            name: value
            for account in told["accounts"]
            if account["endpoint"] == "paper"
            for name, value in account["environment"].items()
        }
        return cls(process, told["address"], {**told["environment"], **keys})

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(SECONDS)

    def post(self, action: str, **asked: Any) -> dict[str, Any]:
        """Ask the control face to do something."""
        answer = requests.post(f"{self.address}/simulator/{action}", json=asked, timeout=SECONDS)
        assert answer.ok, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def get(self, question: str) -> Any:
        """Ask the judge, or what stands."""
        answer = requests.get(f"{self.address}/simulator/{question}", timeout=SECONDS)
        assert answer.ok, answer.text
        return answer.json()


def _first_object(lines: Iterable[str]) -> dict[str, Any]:
    """Read lines until they are a JSON object; the process goes on."""
    text = ""
    for line in lines:
        text += line
        if line.rstrip() == "}":
            content: dict[str, Any] = json.loads(text)
            return content
    raise AssertionError(f"the simulator ended, and printed {text!r}")
