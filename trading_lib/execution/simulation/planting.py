"""How a planted bug is planted: with `Plant`, which whoever plants takes out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trading_lib.execution.order_path import lifecycle
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Advanced

Plant = Callable[[Any, str, Any], None]
Mutant = Callable[[Plant], SendingPolicy | None]


def weighing(plant: Plant, kind: type, replacement: Callable[..., Advanced]) -> None:
    """Plant another way to weigh one kind of evidence."""
    plant(lifecycle, "_WEIGH", {**lifecycle._WEIGH, kind: replacement})
