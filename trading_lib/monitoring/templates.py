"""Alerts as a person reads them. Input: stored alerts. Output: one `Message`, as text and as a page for mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.notifier import Message
from trading_lib.monitoring.outbox import StoredAlert
from trading_lib.monitoring.rate_limit import ORDER

# What one message shows of a digest; the rest stands in `trading alerts list`.
MOST_IN_DIGEST = 50
LONGEST_TEXT = 2000
ACKNOWLEDGE = "Say that you know it: trading alerts ack {reference}"
COLOURS = {
    AlertLevel.INFO: "#1f6feb",
    AlertLevel.WARNING: "#9a6700",
    AlertLevel.CRITICAL: "#cf222e",
    AlertLevel.EMERGENCY: "#82071e",
}
_PAGE = """\
<!doctype html>
<html><body style="font-family: sans-serif; font-size: 14px; color: #1f2328; margin: 0; padding: 16px">
{parts}
</body></html>
"""
_PART = """\
<div style="border-left: 4px solid {colour}; padding: 0 12px; margin-bottom: 16px">
<p style="margin: 0; color: {colour}; font-weight: bold">{level}</p>
<h2 style="margin: 4px 0 8px; font-size: 18px">{title}</h2>
<table style="border-collapse: collapse; font-size: 13px; color: #59636e">
{facts}
</table>
<pre style="white-space: pre-wrap; font-size: 13px; background: #f6f8fa; padding: 8px">{text}</pre>
{pictures}
</div>"""


def single(stored: StoredAlert, step: int, now: datetime) -> Message:
    """Return the message of one alert.

    Parameters
    ----------
    step
        Of the escalation; from the second on the title says how long nobody has answered.
    """
    alert = stored.alert
    title = alert.title
    if step > 1:
        minutes = max(1, round((now - stored.raised_at).total_seconds() / 60))
        title = f"{title} (not acknowledged for {minutes} min)"
    facts = _facts(stored)
    lines = [alert.text, "", *(f"{name}: {value}" for name, value in facts)]
    # In files, while the database is away, there is nothing to acknowledge by.
    if alert.level in (AlertLevel.CRITICAL, AlertLevel.EMERGENCY) and stored.reference.isdigit():
        lines.append(ACKNOWLEDGE.format(reference=stored.reference))
    page = _PAGE.format(parts=_part(stored, title, lines[-1] if lines[-1].startswith("Say") else ""))
    return Message(alert.level, title, "\n".join(lines), alert.session, alert.link, alert.book, page, alert.pictures)


def digest(stored: Sequence[StoredAlert], step: int, now: datetime) -> Message:
    """Return one message of several alerts, the gravest first."""
    ordered = sorted(stored, key=lambda entry: (-ORDER.index(entry.alert.level), entry.raised_at))
    if len(ordered) == 1:
        return single(ordered[0], step, now)
    level, shown = ordered[0].alert.level, ordered[:MOST_IN_DIGEST]
    title = f"{len(ordered)} more alerts, the gravest {level}: {ordered[0].alert.title}"
    if step > 1:
        title = f"{len(ordered)} alerts are not acknowledged, the gravest {level}: {ordered[0].alert.title}"
    lines = []
    for entry in shown:
        lines += [f"[{entry.alert.level}] {entry.alert.title}", *_indented(entry), ""]
    rest = len(ordered) - len(shown)
    lines.append(f"And {rest} more: trading alerts list" if rest else "All of them: trading alerts list")
    parts = "\n".join(_part(entry, entry.alert.title, "") for entry in shown)
    page = _PAGE.format(parts=f"{parts}\n<p>{escape(lines[-1])}</p>")
    pictures = tuple(picture for entry in shown for picture in entry.alert.pictures)
    return Message(level, title, "\n".join(lines), html=page, pictures=pictures)


def _facts(stored: StoredAlert) -> list[tuple[str, str]]:
    alert = stored.alert
    facts = [
        ("Book", alert.book),
        ("Session", alert.session.isoformat() if alert.session else ""),
        ("From", alert.source),
        ("At", f"{stored.raised_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("Link", alert.link),
        ("Times", f"{stored.occurrences}, last {stored.last_seen_at:%H:%M:%S}" if stored.occurrences > 1 else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _indented(stored: StoredAlert) -> list[str]:
    text = stored.alert.text[:LONGEST_TEXT].splitlines()
    return [f"    {line}" for line in [*text, *(f"{name}: {value}" for name, value in _facts(stored))]]


def _part(stored: StoredAlert, title: str, last: str) -> str:
    alert = stored.alert
    rows = []
    for name, value in _facts(stored):
        shown = escape(value)
        if name == "Link" and value.startswith(("http://", "https://")):
            shown = f'<a href="{escape(value, quote=True)}">{shown}</a>'
        rows.append(f'<tr><td style="padding-right: 12px">{name}</td><td>{shown}</td></tr>')
    pictures = "".join(
        f'<p><img src="cid:{escape(entry.name, quote=True)}.png" alt="{escape(entry.name, quote=True)}"'
        ' style="max-width: 100%"></p>'
        for entry in alert.pictures
    )
    text = escape(f"{alert.text}\n\n{last}" if last else alert.text)
    return _PART.format(
        colour=COLOURS[alert.level],
        level=str(alert.level).upper(),
        title=escape(title),
        facts="\n".join(rows),
        text=text,
        pictures=pictures,
    )
