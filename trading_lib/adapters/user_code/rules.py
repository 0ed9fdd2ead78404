"""A user's risk rule between risk control and the user's code: copies, a limited time, and no way to end the process.

What it does besides is noted, and whatever goes wrong becomes a `StrategyFaultError` that names file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trading_lib.adapters.user_code.guard import FIRST_TIMES, run_guarded
from trading_lib.adapters.user_code.watch import CONSTRUCTED, install
from trading_lib.domain.errors import ConfigurationError, StrategyFaultError
from trading_lib.domain.market.private_view import PrivateView
from trading_lib.risk.limits.own_rules import METHOD, Ceiling, RiskView

KIND = "risk rule"


class GuardedRule:
    """A user's `RiskRule`.

    Parameters
    ----------
    reference
        As the configuration names it.
    seconds
        How long it may take over one session; three times that for its first.
    """

    def __init__(self, made: Any, reference: str, seconds: float) -> None:
        self._made, self._reference, self._seconds = made, reference, seconds
        self._allowed = FIRST_TIMES * seconds

    def ceilings(self, risk: RiskView) -> Mapping[str, Ceiling]:
        """See `RiskRule`; nothing that is given leads back to the system's own arrays."""
        market = PrivateView.of(risk.market)
        arrays = {name: getattr(risk, name).copy() for name in ("held", "targets", "approved", "may_increase")}
        private, when = replace(risk, market=market, **arrays), f"while it judged {market.session}"
        try:
            ceilings: Mapping[str, Ceiling] = run_guarded(
                self._reference, when, self._allowed, _asked, self._made, private, kind=KIND
            )
        finally:
            self._allowed = self._seconds
            market.end()
        return ceilings


def _asked(made: Any, risk: RiskView) -> Any:
    ceilings = made.ceilings(risk)
    # A mapping of the user's own could run their code later.
    return dict(ceilings) if isinstance(ceilings, Mapping) else ceilings


def guarded_rule(rule: Callable[..., Any], reference: str, seconds: float) -> Callable[..., GuardedRule]:
    """Return what makes a guarded rule from options, as the class would an unguarded one."""
    install()

    def make(**options: Any) -> GuardedRule:
        try:
            made = run_guarded(reference, CONSTRUCTED, FIRST_TIMES * seconds, lambda: rule(**options), kind=KIND)
        except StrategyFaultError as error:
            raise ConfigurationError(
                f"risk rule {reference} cannot be created from {options}: {error}", "correct it or its options"
            ) from None
        if not callable(getattr(made, METHOD, None)):
            raise ConfigurationError(
                f"risk rule {reference} has no method {METHOD}(risk)", "see docs/operations/risk-rules.md"
            )
        return GuardedRule(made, reference, seconds)

    return make
