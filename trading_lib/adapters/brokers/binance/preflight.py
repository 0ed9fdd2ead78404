"""What Binance would refuse, and what is odd, before anything is traded.

Input: symbols. Output: findings; those that block are refusals, the others warnings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from statistics import median

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import LAST_MILLISECOND, UnreadableError, amount, moment
from trading_lib.adapters.brokers.binance.answers.balances import Balances
from trading_lib.adapters.brokers.binance.answers.classification import (
    NO_SUCH_PAIR,
    Meaning,
    code_of,
    content_of,
    meaning_of,
)
from trading_lib.adapters.brokers.binance.answers.fields import changed
from trading_lib.adapters.brokers.binance.answers.markets import QUOTE, Market, Pair
from trading_lib.adapters.brokers.binance.histories import newest
from trading_lib.adapters.brokers.binance.market_book import MarketBook
from trading_lib.domain.market.instruments import Instrument
from trading_lib.execution.broker import Readiness

# Other stablecoins, whose prices in USDT tell whether it is worth what they are.
PEGGED = ("USDC", "FDUSD", "TUSD")
LARGEST_DISTANCE = Decimal("0.01")
# A key that ends so soon is told of.
SHORT_LIFE = timedelta(days=7)
# In which fees may be paid.
FEE_COIN = "BNB"
SPOT = "SPOT"
ONE = Decimal(1)


def account_finding(balances: Balances) -> Readiness:
    """Say whether an account may trade on the spot market."""
    if not balances.can_trade:
        return Readiness("account", "Binance lets this account not trade; ask its support", blocking=True)
    if balances.kind != SPOT or (balances.permissions and SPOT not in balances.permissions):
        return Readiness("account", f"it is of kind {balances.kind or 'unknown'} and may not trade spot", blocking=True)
    return Readiness("account")


def coins_finding(balances: Balances, pairs: Sequence[Pair]) -> Readiness:
    """Say which coins the account holds that the book knows nothing of."""
    ours = {QUOTE, FEE_COIN, *(pair.base for pair in pairs)}
    others = [f"{units.normalize():f} {coin}" for coin, units in sorted(balances.total.items()) if coin not in ours]
    if not others:
        return Readiness("other coins")
    shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return Readiness("other coins", f"the account also holds {shown}, which the book does not count")


def market_finding(market: Market, symbol: str, instrument: Instrument) -> Readiness:
    """Say whether orders of a symbol would be taken."""
    problem = ""
    if market.status != "TRADING":
        problem = f"{market.name} is not traded at present, its status is {market.status}"
    elif not market.spot_allowed or (market.permissions and SPOT not in market.permissions):
        problem = f"{market.name} is not traded on the spot market"
    elif "MARKET" not in market.order_types:
        problem = f"{market.name} takes no market orders"
    else:
        for lot in (market.lot, market.market_lot):
            if lot.step and instrument.lot_size % lot.step:
                step = f"{lot.step.normalize():f}"
                problem = f"its lots of {instrument.lot_size} are no multiple of {step}; set lot_size in universe.yaml"
    return Readiness(symbol, problem, blocking=bool(problem))


async def key_finding(client: BinanceClient) -> Readiness:
    """Say whether the key may trade, and that it may not take money out."""
    reply = await client.question("sapi_get_account_apirestrictions", {})
    content = content_of(reply)
    if meaning_of(reply) is not Meaning.ANSWERED or not isinstance(content, dict):
        return Readiness("key", f"Binance does not say what the key may do ({client.told(reply)})")
    if content.get("enableSpotAndMarginTrading") is not True:
        return Readiness("key", "the key may not trade; allow it spot trading at Binance", blocking=True)
    if content.get("enableWithdrawals") is not False:
        return Readiness("key", "the key may withdraw coins, which nothing here needs; take that from it at Binance")
    ends = content.get("tradingAuthorityExpirationTime")
    if isinstance(ends, int) and 0 <= ends <= LAST_MILLISECOND:
        left = moment(ends) - moment(client.milliseconds())
        if left < SHORT_LIFE:
            return Readiness("key", f"the key trades until {moment(ends):%Y-%m-%d %H:%M} UTC; renew it at Binance")
    return Readiness("key")


async def peg_finding(client: BinanceClient) -> Readiness:
    """Say whether USDT is worth a dollar, judged by what other stablecoins cost."""
    prices = {}
    for coin in PEGGED:
        reply = await client.question("public_get_ticker_price", {"symbol": coin + QUOTE})
        content = content_of(reply)
        if code_of(reply) == NO_SUCH_PAIR or meaning_of(reply) is not Meaning.ANSWERED or not isinstance(content, dict):
            continue
        try:
            price = amount(content, "price")
        except UnreadableError:
            continue
        if price:
            prices[coin] = price
    if not prices:
        return Readiness("peg", f"no pair tells whether 1 {QUOTE} is worth a dollar")
    worth = ONE / median(prices.values())
    if abs(worth - ONE) <= LARGEST_DISTANCE:
        return Readiness("peg")
    return Readiness(
        "peg",
        f"1 {QUOTE} is worth {worth:.4f} by {', '.join(prices)}, and the book counts it as 1 USD; see whether to trade",
    )


async def answers_finding(
    client: BinanceClient, pairs: Sequence[Pair], markets: MarketBook, balances: Balances
) -> Readiness:
    """Say whether Binance's answers have the fields that are known here; raises `BrokerUnavailableError`."""
    changes = [changed("account", balances.fields)]
    for pair in pairs:
        changes.append(changed("market", (await markets.market(pair)).fields))
        changes += [changed(kind, record) for kind, record in (await newest(client, pair)).items()]
    told = list(dict.fromkeys(filter(None, changes)))
    # It is no reason not to trade: that something is missing which is needed shows when it is read.
    return Readiness("answers", "; ".join(told))
