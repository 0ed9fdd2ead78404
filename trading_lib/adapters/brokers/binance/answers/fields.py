"""Fields of Binance's answers as this adapter knows them: what is gone or new is told before it is traded on.

Input: names of an answer's fields. Output: a line, "" where nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALWAYS: Mapping[str, frozenset[str]] = {
    "account": _names("""
        makerCommission takerCommission buyerCommission sellerCommission commissionRates canTrade canWithdraw canDeposit
        brokered requireSelfTradePrevention preventSor updateTime accountType balances permissions uid"""),
    "market": _names("""
        symbol status baseAsset baseAssetPrecision quoteAsset quotePrecision quoteAssetPrecision baseCommissionPrecision
        quoteCommissionPrecision orderTypes icebergAllowed ocoAllowed otoAllowed quoteOrderQtyMarketAllowed
        allowTrailingStop cancelReplaceAllowed isSpotTradingAllowed isMarginTradingAllowed filters permissions
        permissionSets defaultSelfTradePreventionMode allowedSelfTradePreventionModes"""),
    "order": _names("""
        symbol orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty status timeInForce type
        side stopPrice icebergQty time updateTime isWorking workingTime origQuoteOrderQty selfTradePreventionMode"""),
    "trade": _names("""
        symbol id orderId orderListId price qty quoteQty commission commissionAsset time isBuyer isMaker
        isBestMatch"""),
}
# Of some orders and markets only.
SOMETIMES: Mapping[str, frozenset[str]] = {
    "market": _names("amendAllowed pegInstructionsAllowed opoAllowed"),
    "order": _names("""
        preventedMatchId preventedQuantity strategyId strategyType trailingDelta trailingTime usedSor workingFloor
        pegPriceType pegOffsetType pegOffsetValue peggedPrice expiryReason"""),
}


def changed(kind: str, found: Iterable[str]) -> str:
    """Say how an answer's fields differ from those that are known.

    Parameters
    ----------
    kind
        A key of `ALWAYS`.
    """
    names = frozenset(found)
    gone = sorted(ALWAYS[kind] - names)
    new = sorted(names - ALWAYS[kind] - SOMETIMES.get(kind, frozenset()))
    parts = [f"{word}: {', '.join(fields)}" for word, fields in (("gone", gone), ("new", new)) if fields]
    return f"Binance's answer about the {kind} has changed ({'; '.join(parts)})" if parts else ""
