"""An explanation of one asset in one session, line by line, as the terminal and Python print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def explanation_lines(explanation: Mapping[str, Any]) -> Iterator[str]:
    """Tell why an asset has its weight and its order, from the bar to the fill.

    Parameters
    ----------
    explanation
        What `explain_symbol` returned.
    """
    asset = f"{explanation['symbol']} ({explanation['name']})"
    yield f"Why {asset} in session {explanation['session']}: {explanation['origin']}"
    bar, position, signal = explanation["bar"], explanation["position"], explanation["signal"]
    age = f"a new bar of {bar['date']}" if bar["fresh"] else "no new bar this session, so no new risk"
    close, volume = (
        "unknown" if bar[name] is None else format(bar[name], form)
        for name, form in (("close", ",.2f"), ("volume", ",.0f"))
    )
    yield _line("Data", f"{explanation['data_source']}: close {close}, volume {volume}, {age}")
    if bar["quarantine"]:
        yield _line("", f"validation: {', '.join(bar['quarantine'])}")
    factors = [f"{name} {_factor(name, value)}" for name, value in explanation["factors"].items()]
    for start in range(0, len(factors), 5):
        yield _line("" if start else "Factors", ", ".join(factors[start : start + 5]))
    yield _line("Regime", explanation["regime"]["reason"])
    changed = f", {signal['before_regime']} before the regime" if signal["before_regime"] != signal["signal"] else ""
    yield _line("Signal", f"{signal['signal']} (confidence {signal['confidence']:.2f}{changed}): {signal['reason']}")
    cost = f" at average cost {float(position['average_cost']):.2f}" if position["average_cost"] else ""
    yield _line(
        "Held",
        f"{position['quantity']}{cost}, {position['weight']:.2%} of net asset value "
        f"${float(position['net_asset_value']):,.2f}",
    )
    yield from _sleeve_lines(explanation)
    yield _line("Blended", f"{explanation['blended_weight']:.2%} of net asset value")
    yield from _step_lines("Constraints", explanation["constraints"])
    yield _line("Target", f"{explanation['target_weight']:.2%}")
    yield from _risk_lines(explanation["risk"])
    yield _line("Approved", f"{explanation['approved_weight']:.2%}")
    yield from _order_lines(explanation)
    for leg in explanation["short_legs"]:
        yield _line("Short leg", f"{leg['symbol']}: holds {leg['quantity']}")
        if leg["order"]:
            yield from _order_lines({**leg, "held_back": ""})


def _sleeve_lines(explanation: Mapping[str, Any]) -> Iterator[str]:
    for sleeve in explanation["sleeves"]:
        yield _line(
            "Sleeve",
            f"{sleeve['sleeve']} (budget {sleeve['budget']:.0%}): holds {sleeve['held']:.2%} of its capital, wants "
            f"{sleeve['wanted']:.2%}, which is {sleeve['wanted_of_nav']:.2%} of net asset value",
        )
        for text in (sleeve["reason"], sleeve["sleeve_reason"], *sleeve["events"]):
            if text:
                yield _line("", text)


def _risk_lines(risk: Mapping[str, Any]) -> Iterator[str]:
    floor = f", correlation floor {risk['floor']}" if risk["floor"] else ""
    yield _line(
        "Risk",
        f"level {risk['effective_level']}{floor}: drawdown {risk['drawdown']:.2%} from the reference peak "
        f"${risk['reference_peak']:,.2f}, model volatility {_or_dash(risk['model_volatility'], '.2%')}, "
        f"average correlation {_or_dash(risk['average_correlation'], '.4f')}",
    )
    if risk["minimum_confidence"]:
        yield _line("", f"a buy needs confidence {risk['minimum_confidence']:.2f}")
    if risk["recovery_sessions"] is not None:
        yield _line(
            "", f"re-entry: session {risk['recovery_sessions']} of the ladder, {risk['recovery_size']:.0%} size"
        )
    if risk["cooling_off_sessions"]:
        yield _line("", f"stopped: not bought for {risk['cooling_off_sessions']} more sessions")
    if risk["ceiling"] is not None:
        yield _line("", f"at most {risk['ceiling']:g} may remain: {risk['ceiling_reason']}")
    for event in risk["event_details"]:
        ended = f" (over in session {event['resolved_session']})" if event["resolved_session"] else ""
        yield _line("", f"event: {event['reason']}{ended}")
    yield from _step_lines("Limits", risk["steps"])


def _step_lines(name: str, steps: list[dict[str, Any]]) -> Iterator[str]:
    if not steps:
        yield _line(name, "none lowered it")
    for number, step in enumerate(steps):
        detail = f" ({step['detail']})" if step["detail"] else ""
        yield _line("" if number else name, f"{step['rule']}: {step['before']:.2%} -> {step['after']:.2%}{detail}")


def _order_lines(explanation: Mapping[str, Any]) -> Iterator[str]:
    order, fill = explanation["order"], explanation["fill"]
    if order is None:
        yield _line("Order", f"none: {explanation['held_back']}")
        return
    value = float(order["value"])
    yield _line(
        "Order",
        f"{order['side']} {order['quantity']} at about {order['expected_price']} (${value:,.2f}, {order['purpose']}): "
        f"{order['reason']}",
    )
    if explanation["held_back"]:
        yield _line("", explanation["held_back"])
    if order["outcome"]:
        yield _line("", f"{order['client_order_id']}: {order['outcome']}")
    if fill is None:
        yield _line("Fill", "none is known")
        return
    yield _line(
        "Fill",
        f"{fill['quantity']} at {fill['price']} (opening {fill['opening_price']}, commission {fill['commission']}), "
        f"{fill['filled_at']}",
    )


def _factor(name: str, value: float | None) -> str:
    if value is None:
        return "missing"
    if name.startswith("Momentum"):
        return f"{value:+.2%}"
    return f"{value:.2%}" if name.startswith("Volatility") else f"{value:.2f}"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _line(name: str, text: str) -> str:
    return f"  {name:<12}{text}"
