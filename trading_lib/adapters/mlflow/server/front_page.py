"""MLflow's page as this project's users need it: classic tables, and no assistant that runs programs on this machine.

MLflow keeps both choices in the browser, where nobody has made one yet when the page is first opened. A choice that was
made stays.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from trading_lib.adapters.mlflow.server.login import Application, Receive, Scope, Send, answer

PAGE = "/"
ASSISTANT = "/ajax-api/3.0/mlflow/assistant"
# Names and values as MLflow 3.17's own pages store them: name, version, JSON.
CHOICES = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
HEAD_END = b"</head>"


class FrontPage:
    """Hands every request on, but for the assistant's; the page gets `CHOICES` where the browser has none."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif scope["path"].startswith(ASSISTANT):
            await answer(send, 404, b"the assistant is switched off\n")
        elif scope["path"] == PAGE and scope["method"] == "GET":
            await self._page(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Unchanged, the page would be answered with 304 and no body to put anything into.
        conditional = (b"if-none-match", b"if-modified-since", b"range", b"accept-encoding")
        asked = {**scope, "headers": [entry for entry in scope["headers"] if entry[0] not in conditional]}
        messages: list[MutableMapping[str, Any]] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        await self._application(asked, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        for message in messages:
            if message["type"] == "http.response.start":
                page = body.replace(HEAD_END, _script() + HEAD_END, 1)
                cached = (b"content-length", b"etag", b"last-modified")
                kept = [entry for entry in message["headers"] if entry[0].lower() not in cached]
                length = (b"content-length", str(len(page)).encode())
                await send({**message, "headers": [*kept, length, (b"cache-control", b"no-cache")]})
                await send({"type": "http.response.body", "body": page})


def _script() -> bytes:
    lines = [
        f"localStorage.getItem('{name}')===null&&localStorage.setItem('{name}','{value}');"
        for name, value in CHOICES.items()
    ]
    return f"<script>{''.join(lines)}</script>".encode()
