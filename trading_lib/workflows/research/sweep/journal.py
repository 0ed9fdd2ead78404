"""The journal of a sweep, from which an interrupted one resumes; it lies beside the output file."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trading_lib.adapters.files.progress_file import ProgressFile
from trading_lib.workflows.research.sweep.grid import GridPoint, configuration_at
from trading_lib.workflows.research.sweep.point import OK, PointResult, SweepTask
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.metric_table import metric_digests

LOG = logging.getLogger(__name__)
SUFFIX = ".progress"


class SweepJournal:
    """Notes every finished point, and knows those of an earlier run of the same sweep.

    Points are known by their values, so a grid that was made larger takes over what it has in common with the smaller.
    What else a result depends on is the same in both runs: prices, window, configuration, code.

    Parameters
    ----------
    out
        The file the sweep will be written to.
    """

    def __init__(self, out: Path, task: SweepTask) -> None:
        self._task = task
        self._file = ProgressFile(out.with_name(out.name + SUFFIX), _identity(task))
        self._known = {record["values"]: record for record in self._file.found if record.get("status") == OK}
        self._failed = False
        if self._file.is_other:
            LOG.warning("%s was about another sweep and is begun anew", self._file.path)

    @property
    def path(self) -> Path:
        """Where the points stand until all are finished."""
        return self._file.path

    def finished(self, points: Sequence[GridPoint]) -> dict[int, PointResult]:
        """Return the points that an earlier run finished, by their numbers."""
        results = {point.number: self._known.get(_key(point)) for point in points}
        return {
            point.number: _result(point, record)
            for point in points
            if (record := results[point.number]) is not None and record["config_hash"] == self._hash(point)
        }

    def _hash(self, point: GridPoint) -> str | None:
        """Hash of the point's configuration now: a strategy of one's own may have changed since."""
        try:
            return configuration_at(point, self._task.folder, self._task.variables).config_hash
        except Exception:  # it fails again where it is run
            return None

    def add(self, result: PointResult) -> None:
        """Note a finished point; where the disk does not take it, the sweep goes on without."""
        if result.nav is None or self._failed:
            return
        record = {
            "values": _key(result.point),
            "status": result.status,
            "config_hash": result.config_hash,
            "metrics": dict(result.metrics),
            "nav": base64.b64encode(np.asarray(result.nav, dtype="<f8").tobytes()).decode(),
            "seconds": result.seconds,
        }
        try:
            self._file.add(record)
        except OSError as error:
            self._failed = True
            LOG.warning("%s cannot be written (%s); a stopped sweep would begin anew", self.path, error.strerror)

    def close(self) -> None:
        """Let go of the file; see `forget_journal`."""
        self._file.close()


def forget_journal(out: Path) -> None:
    """Remove what was noted beside ``out``, once that file holds all points."""
    out.with_name(out.name + SUFFIX).unlink(missing_ok=True)


def _identity(task: SweepTask) -> dict[str, Any]:
    content = pickle.dumps((task.market.panel, task.market.funding), protocol=5)
    own = metric_digests(task.base)
    return {
        "market": hashlib.sha256(content).hexdigest(),
        "from": str(task.first),
        "to": str(task.last),
        "config_hash": task.base.config_hash,
        "code_version": code_version(),
        **({"own_metrics": own} if own else {}),
    }


def _key(point: GridPoint) -> str:
    return json.dumps(dict(point.values), sort_keys=True, default=str)


def _result(point: GridPoint, record: dict[str, Any]) -> PointResult:
    nav = np.frombuffer(base64.b64decode(record["nav"]), dtype="<f8").astype(np.float64)
    return PointResult(point, OK, "", record["config_hash"], record["metrics"], nav, record["seconds"])
