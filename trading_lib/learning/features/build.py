"""All features of every session and asset. Input: `PricePanel`, `FactorPanel`, `MarketContext`. Output: `FeaturePanel`.

Which features there are, and in which order, depends on no data: what is not delivered is NaN and named as absent.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.market_view import FactorPanel
from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.context import MarketContext
from trading_lib.learning.features.cross_section import CROSS_SECTION_NAMES, cross_section_features
from trading_lib.learning.features.macro import MACRO_NAMES, macro_features
from trading_lib.learning.features.positioning import POSITIONING_NAMES, positioning_features
from trading_lib.learning.features.price import PRICE_NAMES, price_features

FEATURE_KINDS: Mapping[str, str] = {
    **dict.fromkeys(PRICE_NAMES, "price"),
    **dict.fromkeys(MACRO_NAMES, "macro"),
    **dict.fromkeys(CROSS_SECTION_NAMES, "cross_section"),
    **dict.fromkeys(POSITIONING_NAMES, "positioning"),
}
FEATURE_NAMES = tuple(FEATURE_KINDS)
SENTIMENT = "sentiment"


def build_features(panel: PricePanel, factors: FactorPanel, context: MarketContext | None = None) -> FeaturePanel:
    """Compute `FEATURE_NAMES`, and append the user's own columns in the order of their names.

    Row t uses nothing that became known after the decision of session t, for its inputs do not.

    Raises
    ------
    InputError
        When an own column has the name of a feature or another shape than (T, n).
    """
    given = context or MarketContext()
    price = price_features(panel, factors)
    found = price | macro_features(panel, given) | cross_section_features(panel, price) | positioning_features(given)
    own = {name: _own_column(name, given.own[name], panel) for name in sorted(given.own)}
    names = (*FEATURE_NAMES, *own)
    values = np.full((len(names), *panel.fresh.shape), np.nan)
    for position, name in enumerate(names):
        if name in found or name in own:
            values[position] = found[name] if name in found else own[name]
    # A division by a price or average of zero is no number.
    values[~np.isfinite(values)] = np.nan
    return FeaturePanel(
        names=names,
        kinds=(*FEATURE_KINDS.values(), *("sentiment" if name.startswith(SENTIMENT) else "own" for name in own)),
        symbols=panel.symbols,
        sessions=panel.sessions,
        values=values,
        absent=tuple(name for name in FEATURE_NAMES if name not in found),
    )


def _own_column(name: str, values: FloatArray, panel: PricePanel) -> FloatArray:
    if name in FEATURE_KINDS:
        raise InputError(f"the own feature {name} has the name of a built-in one", "give it another name")
    if values.shape != panel.fresh.shape:
        expected = " x ".join(str(size) for size in panel.fresh.shape)
        raise InputError(
            f"the own feature {name} has shape {values.shape}", f"give one number per session and asset: {expected}"
        )
    return values
