"""Channels by their addresses: real mail and a real webhook, and no word of an address in what goes wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.notifier_contract import SHORT, NotifierContract
from tests.peers.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.peers.webhook_server import SECRET, WebhookServer, webhook_server
from trading_lib.adapters.alerts.channels import AppriseChannel, ChannelError, channel_addresses, create_channel
from trading_lib.adapters.logs.redaction import address_secrets, secret_values, without_secrets
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.config import AlertsConfig
from trading_lib.monitoring.notifier import Notifier

CONFIG = AlertsConfig()


class TestWebhook(NotifierContract):
    """A webhook is a notifier like any other."""

    server: WebhookServer

    @pytest.fixture
    def notifier(self) -> Iterator[Notifier]:
        with webhook_server() as self.server:
            yield AppriseChannel("webhook", self.server.address)

    def arrived(self) -> list[str]:
        return [post["message"] for post in self.server.posts]


class TestMail(NotifierContract):
    """So is mail."""

    server: MailServer

    @pytest.fixture
    def notifier(self) -> Iterator[Notifier]:
        with mail_server() as self.server:
            yield AppriseChannel("mail", self.server.address)

    def arrived(self) -> list[str]:
        return [self.server.part(number, "text/plain") for number in range(len(self.server.messages))]


@pytest.mark.parametrize("address", ["nonsense", "http://", "slack://", f"unknown://{SECRET}", f"tgram://{SECRET}"])
def test_an_address_that_is_none_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError, match="the address of the channel slack cannot be used") as caught:
        AppriseChannel("slack", address)
    assert SECRET not in str(caught.value)


def test_what_a_server_says_is_told_without_the_address() -> None:
    with webhook_server() as server:
        channel = AppriseChannel("webhook", server.address)
        server.status = 500
        with pytest.raises(ChannelError, match="error=500") as caught:
            channel.send(SHORT)
    with pytest.raises(ChannelError, match="Connection error") as gone:
        channel.send(SHORT)
    assert SECRET not in str(caught.value) + str(gone.value)


@pytest.mark.parametrize("raises", [True, False])
def test_whatever_apprise_says_of_the_address_is_struck(raises: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"json://user:password-of-it@127.0.0.1:1/{SECRET}"
    channel = AppriseChannel("webhook", address)

    def notify(**_: object) -> bool:
        if raises:
            raise RuntimeError(f"no way to {address}")
        logging.getLogger("apprise").warning("no way to %s of /%s", address, SECRET)
        return False

    monkeypatch.setattr(channel._sender, "notify", notify)
    with pytest.raises(ChannelError, match="no way to") as caught:
        channel.send(SHORT)
    assert SECRET not in str(caught.value)
    assert "password-of-it" not in str(caught.value)


def test_a_login_that_is_wrong_is_told_without_it() -> None:
    with mail_server() as server:
        address = server.address.replace(PASSWORD, "wrong-password")
        with pytest.raises(ChannelError) as caught:
            AppriseChannel("mail", address).send(SHORT)
        assert server.messages == []
    assert "wrong-password" not in str(caught.value)


def test_addresses_come_from_variables_or_the_files_they_name(tmp_path: Path) -> None:
    (tmp_path / "slack").write_text("slack://A/B/C\n")
    variables = {
        "TRADING_ALERT_WEBHOOK_URL": "json://host/path",
        "TRADING_ALERT_SLACK_URL_FILE": str(tmp_path / "slack"),
        "TRADING_ALERT_PAGERDUTY_URL_FILE": str(tmp_path / "none"),
    }
    found = channel_addresses(CONFIG, variables)
    assert found["webhook"] == "json://host/path"
    assert found["slack"] == "slack://A/B/C"
    with pytest.raises(ConfigurationError, match="TRADING_ALERT_PAGERDUTY_URL_FILE names"):
        create_channel("pagerduty", found["pagerduty"])
    assert set(found) == {"webhook", "slack", "pagerduty"}


def connection(**extra: object) -> dict[str, object]:
    return {"conn_type": "smtp", "host": "127.0.0.1", "login": USER, "password": PASSWORD, "extra": extra}


@pytest.mark.parametrize("as_uri", [False, True])
def test_airflows_connection_is_the_mail_channel(as_uri: bool) -> None:
    with mail_server() as server:
        text = json.dumps(connection(disable_ssl=True, disable_tls=True) | {"port": server.port})
        if as_uri:
            options = "disable_ssl=true&disable_tls=true"
            text = f"smtp://{USER}:{PASSWORD}@127.0.0.1:{server.port}/?{options}"
        variables = {"AIRFLOW_CONN_SMTP_DEFAULT": text, "TRADING_ALERT_EMAIL": "person@example.com"}
        create_channel("mail", channel_addresses(CONFIG, variables)["mail"]).send(SHORT)
    (mail,) = server.messages
    assert str(mail["To"]) == "person@example.com"
    assert str(mail["Subject"]) == "[trading] INFO: a title"
    assert server.logins == [USER]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (json.dumps(connection()), "nobody to mail to"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"host": "mail", "port": "often", "extra": {"to_email": "a@example.com"}}), "cannot be read"),
        (f"smtp://{USER}:{PASSWORD}@:99999/", "cannot be read"),
    ],
)
def test_a_connection_that_cannot_be_used_says_so_without_its_password(text: str, told: str) -> None:
    found = channel_addresses(CONFIG, {"AIRFLOW_CONN_SMTP_DEFAULT": text})
    with pytest.raises(ConfigurationError, match=told) as caught:
        create_channel("mail", found["mail"])
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "scheme", "mode", "port"),
    [
        ({}, "mailtos", "ssl", 465),
        ({"disable_ssl": True}, "mailtos", "starttls", 587),
        ({"disable_ssl": True, "disable_tls": True}, "mailto", "insecure", 25),
    ],
)
def test_a_connection_is_encrypted_as_airflow_does(extra: dict[str, object], scheme: str, mode: str, port: int) -> None:
    text = json.dumps(connection(to_email="a@example.com", **extra))
    address = channel_addresses(CONFIG, {"AIRFLOW_CONN_SMTP_DEFAULT": text})["mail"]
    assert isinstance(address, str)
    assert address.startswith(f"{scheme}://")
    assert f"mode={mode}" in address
    assert f"127.0.0.1:{port}?" in address


@pytest.mark.parametrize(
    ("address", "secrets", "words"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk/#general", ["T1JJ3T3L2", "TIiajkdnlazk"], ["general"]),
        ("tgram://123456789:AAFFGGHHJJKKLLMM/12315544/", ["123456789", "AAFFGGHHJJKKLLMM"], ["tgram"]),
        ("pagerduty://A1BRTD4JD1BRTD4JD@IPDOSJDOIWJDOIJ", ["A1BRTD4JD1BRTD4JD", "IPDOSJDOIWJDOIJ"], []),
        ("https://hooks.example.com/services/T00/hunter2hunter2", ["hunter2hunter2"], ["hooks.example.com"]),
        ("mailtos://me:pass%3Aword@b.com?from=trading@b.com", ["pass%3Aword", "pass:word"], ["trading", "b.com"]),
    ],
)  # fmt: skip
def test_keys_of_an_address_are_struck_and_words_are_not(address: str, secrets: list[str], words: list[str]) -> None:
    values = secret_values({"TRADING_ALERT_ANY_URL": address})
    assert address_secrets(address) <= values
    text = without_secrets(" ".join([address, *secrets, *words]), values)
    assert not [secret for secret in secrets if secret in text]
    assert [word for word in words if word in text] == words
