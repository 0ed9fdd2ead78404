"""Real S3 servers that are killed or fail, at some requests; at every one of them in `make damages`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.campaigns.backups.interruptions import Bucket, s3_variables
from tests.environment.database import MakeDatabase
from tests.peers.faulty_proxy import faulty_proxy
from tests.peers.s3_servers import create_bucket, moto_server, rclone_server
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]


@pytest.fixture(scope="module", params=["rclone", "moto"])
def bucket(
    request: pytest.FixtureRequest,
    postgres_server: EmbeddedPostgres,
    make_database: MakeDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bucket]:
    folder = tmp_path_factory.mktemp("bucket")
    with s3_variables():
        if request.param == "rclone":
            with rclone_server(folder / "rclone") as rclone, faulty_proxy(rclone.port) as proxy:
                yield Bucket(postgres_server, make_database, folder, proxy, rclone)
        else:
            with moto_server() as endpoint, faulty_proxy(int(endpoint.rpartition(":")[2])) as proxy:
                create_bucket(endpoint)
                yield Bucket(postgres_server, make_database, folder, proxy, None)


def test_a_backup_there_and_back(bucket: Bucket) -> None:
    assert bucket.whole_cycle() >= 5


def test_what_is_left_when_the_server_dies_is_no_backup_and_the_next_is_one(bucket: Bucket) -> None:
    if bucket.rclone is None:
        pytest.skip("it cannot be killed")
    for k, how in ((2, "half"), (5, "after")):
        done = bucket.upload(k, how)
        assert done.problem == "", done
        assert "cannot be used" in done.said


def test_a_download_that_breaks_leaves_the_target_alone(bucket: Bucket) -> None:
    destination, requests = bucket.downloads()
    done = bucket.download(destination, requests, "answer" if bucket.rclone else "503")
    assert done.problem == "", done
