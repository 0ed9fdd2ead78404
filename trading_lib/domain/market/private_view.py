"""Market views for users' strategies: copies without a reference to the panel.

`MarketView` holds rows of the panel, and numpy lets anybody who holds a row climb to the whole array (``array.base``).
A user's strategy is therefore given copies. They are made when they are first read, for most strategies read few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from trading_lib.domain.decision.signals import SignalPanel
from trading_lib.domain.decision.sleeves import SleeveView
from trading_lib.domain.market.market_view import MarketView

_PLAIN = ("universe", "session", "volatility_index", "volatility_index_age", "month_end")


class PrivateView(MarketView):
    """A `MarketView` whose arrays are copies of their own, made on first access, until `end`."""

    __slots__ = ("_copy",)
    _copy: Callable[[str], Any] | None

    @classmethod
    def of(cls, view: MarketView) -> PrivateView:
        """Return a view of the same session; nothing in it leads back to ``view``'s arrays."""
        made = object.__new__(cls)
        for name in _PLAIN:
            object.__setattr__(made, name, getattr(view, name))
        object.__setattr__(made, "remembered", {})
        object.__setattr__(made, "_copy", lambda name: _copied(getattr(view, name)))
        return made

    def end(self) -> None:
        """Drop the reference to the original; what was not read until now cannot be read any more."""
        object.__setattr__(self, "_copy", None)

    def __getattr__(self, name: str) -> Any:
        # Reached only for what has not been copied yet.
        copy = object.__getattribute__(self, "_copy")
        if name not in _FIELDS:
            raise AttributeError(f"a market view has no {name!r}")
        if copy is None:
            raise AttributeError(f"{name} was not read while the session was decided, and a view ends with it")
        value = copy(name)
        object.__setattr__(self, name, value)
        return value


def private_sleeve(sleeve: SleeveView) -> SleeveView:
    """Return the sleeve's view with copies of its arrays, so that writing into them changes nobody else's."""
    signals = sleeve.signals
    return SleeveView(
        sleeve.held.copy(),
        sleeve.wanted.copy(),
        dict(sleeve.memory),
        sleeve.regime,
        SignalPanel(
            signals.codes.copy(), signals.unfiltered_codes.copy(), signals.confidence.copy(), signals.complete.copy()
        ),
        sleeve.budget,
        dict(sleeve.hedged),
    )


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    if value is None:
        return None
    # Funding: venues and arrays.
    return replace(value, **{f.name: _copied(getattr(value, f.name)) for f in fields(value) if f.name != "venues"})


_FIELDS = frozenset(field.name for field in fields(MarketView))
