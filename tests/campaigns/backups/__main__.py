"""The campaign of damages: `make damages`, some minutes. Writes evidence/backup_damages.json.

A hundred damages to plain and encrypted backups, each refused with the server untouched; twenty restores with the same
state; rclone killed, and moto failing, at every request of an upload and of a download.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.campaigns.backups.interruptions import DOWNLOADS, UPLOADS, Bucket, Interrupted, s3_variables
from tests.campaigns.backups.refusals import Ground
from tests.campaigns.evidence import COVERED, write_evidence
from tests.environment.database import memory_folder
from tests.peers.faulty_proxy import faulty_proxy
from tests.peers.s3_servers import create_bucket, moto_server, rclone_server
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade


def main() -> None:
    """Run all of it; exit code 1 unless everything was refused, restored and survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=100)
    parser.add_argument("--restores", type=int, default=20)
    chosen = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="itsdamages", dir=memory_folder()))
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        result = _damages(server, folder, chosen.damages, chosen.restores) | {"s3": _servers(server, folder)}
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    result["seconds"] = round(time.monotonic() - began)
    failures = result["failures"] + [one for peer in result["s3"].values() for one in peer["failures"]]
    if not failures:
        write_evidence("backup_damages", result, COVERED["backup_damages"])
    print(json.dumps(result, indent=2))
    sys.exit(1 if failures else 0)


def _damages(server: EmbeddedPostgres, folder: Path, damages: int, restores: int) -> dict[str, Any]:
    place = folder / "damages"
    place.mkdir()
    ground = Ground(server, _databases(server), place)
    outcomes = []
    for seed in range(damages):
        outcomes.append(ground.play(seed))
        if (seed + 1) % 20 == 0:
            print(f"{seed + 1} of {damages} damages", file=sys.stderr, flush=True)
    differing = [problem for seed in range(restores) if (problem := ground.restore(seed))]
    bad = [f"seed {one.seed}, {one.harm}: {one.problem}" for one in outcomes if one.problem or not one.untouched]
    return {
        "damages": len(outcomes),
        "refused": sum(bool(one.refused) and not one.problem for one in outcomes),
        "untouched": sum(one.untouched for one in outcomes),
        "encrypted": sum(one.encrypted for one in outcomes),
        "harms": dict(sorted(Counter(one.harm for one in outcomes).items())),
        "restores": restores,
        "same_state": restores - len(differing),
        "failures": bad + differing,
    }


def _servers(server: EmbeddedPostgres, folder: Path) -> dict[str, Any]:
    found = {}
    with s3_variables():
        with rclone_server(folder / "rclone") as rclone, faulty_proxy(rclone.port) as proxy, _room(folder, "r") as room:
            found["rclone, killed"] = _every_request(Bucket(server, _databases(server), room, proxy, rclone))
        with moto_server() as endpoint, _room(folder, "m") as room:
            create_bucket(endpoint)
            with faulty_proxy(int(endpoint.rpartition(":")[2])) as proxy:
                found["moto, cut off"] = _every_request(Bucket(server, _databases(server), room, proxy, None))
    return found


def _every_request(bucket: Bucket) -> dict[str, Any]:
    requests = bucket.whole_cycle()
    done: list[Interrupted] = [bucket.upload(k, how) for k in range(1, requests + 1) for how in UPLOADS]
    destination, needed = bucket.downloads()
    done += [bucket.download(destination, k, how) for k in range(1, needed + 1) for how in DOWNLOADS]
    print(f"{len(done)} interruptions", file=sys.stderr, flush=True)
    return {
        "requests_of_an_upload": requests,
        "requests_of_a_download": needed,
        "interruptions": len(done),
        "survived": sum(not one.problem for one in done),
        "failures": [f"{one.what}, {one.request}, {one.how}: {one.problem}" for one in done if one.problem],
    }


NUMBERS = itertools.count(1)


def _databases(server: EmbeddedPostgres) -> Callable[[], str]:
    def new() -> str:
        name = f"campaign_{next(NUMBERS)}"
        server.create_databases([name])
        upgrade(server.url(name))
        return server.url(name)

    return new


@contextmanager
def _room(folder: Path, name: str) -> Iterator[Path]:
    place = folder / name
    place.mkdir()
    yield place


if __name__ == "__main__":
    main()
