"""Two real S3 servers: moto's, which takes anybody, and rclone's, which checks signatures and can be killed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.environment.free_port import free_port

ACCESS, SECRET = "access-of-tests", "hunter2-secret"
BUCKET = "backups"
START_SECONDS = 30.0


class RcloneServer:
    """``rclone serve s3`` over a folder: its first-level folders are the buckets."""

    def __init__(self, folder: Path) -> None:
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port(18333)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("rclone")
        options = ("--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{ACCESS},{SECRET}", "--config", os.devnull)
        self._process = subprocess.Popen(
            [str(program), "serve", "s3", *options, "--vfs-cache-mode", "off", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("rclone does not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def rclone_server(folder: Path) -> Iterator[RcloneServer]:
    """A running server; skipped where rclone is not installed."""
    if not Path(sys.executable).with_name("rclone").exists():
        pytest.skip("rclone is not installed")
    server = RcloneServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """The address of a running server of moto."""
    moto = pytest.importorskip("moto.server", reason="moto's server is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def create_bucket(endpoint: str, name: str = BUCKET) -> None:
    """Create the bucket, with the credentials above."""
    import boto3

    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    ).create_bucket(Bucket=name)


@contextlib.contextmanager
def refusing_server(status: int, code: str) -> Iterator[str]:
    """A server that answers every request with the same error."""

    class Refusing(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>two\nlines</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = _refuse

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
