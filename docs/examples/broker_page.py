"""A probe of one's own: whether a page that has to be there answers."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.probe import Finding, ProbeContext


class BrokerPage:
    """Asks for a page, and finds fault when it is not answered.

    Parameters
    ----------
    url
        Of the page.
    timeout
        Seconds to wait for it; less than probe_seconds of monitoring.yaml.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("url is no web address")
        self._url, self._timeout = url, timeout

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Return nothing where all is well; what is raised here is told as "cannot tell"."""
        try:
            with urllib.request.urlopen(self._url, timeout=self._timeout):  # noqa: S310 - an address of the web
                return
        except (urllib.error.URLError, TimeoutError) as error:
            yield Finding(
                key="broker-page",
                title="The broker's page does not answer",
                text=f"At {context.now:%H:%M} UTC it said: {error}. Orders may not get through.",
                level=AlertLevel.WARNING,
            )
