"""Configuration of backups: include/config/backup.yaml."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from trading_lib.domain.configuration import Configuration
from trading_lib.monitoring.backup.manifest import BackupClass
from trading_lib.monitoring.backup.wal import WalConfig

# An age public key: "age1" and 58 characters of Bech32.
PUBLIC_KEY = re.compile(r"age1[02-9ac-hj-np-z]{58}")


def _public_key(text: str) -> str:
    if text.upper().startswith("AGE-SECRET-KEY-"):
        # Not repeated: it is the one thing that must stand nowhere on this machine.
        raise ValueError("this is a private key; name the public one, which begins with age1")
    if not PUBLIC_KEY.fullmatch(text):
        raise ValueError(f"{text!r} is no age public key: it begins with age1 and has 62 characters")
    return text


class RetentionConfig(Configuration):
    """Days that backups of each class are kept.

    Attributes
    ----------
    at_least
        So many of the newest of each kind are kept whatever their age: a clock that is a year ahead costs no more.
    """

    database: int = Field(30, ge=1, le=3650)
    state: int = Field(90, ge=1, le=3650)
    config: int = Field(365, ge=1, le=3650)
    logs: int = Field(90, ge=1, le=3650)
    at_least: int = Field(24, ge=1, le=10_000)

    def days(self, kind: BackupClass) -> int:
        """Days of one class."""
        return int(getattr(self, kind.value))


class DrillConfig(Configuration):
    """The weekly restore drill.

    Attributes
    ----------
    sessions
        How many of the newest sessions of each book are decided again and compared.
    """

    sessions: int = Field(5, ge=0, le=250)


class BackupConfig(Configuration):
    """backup.yaml.

    Attributes
    ----------
    destination
        A folder or ``s3://bucket/prefix``; "" for ``backups`` in the home folder, which is on the same machine.
    recipients
        Public keys backups are encrypted to; the private ones are kept elsewhere. Empty: not encrypted.
    state_after_trade
        Whether a book's state is stored after each session it traded.
    jobs
        Connections that dump and restore at a time.
    wal
        The embedded server's log outside the server.
    """

    destination: str = ""
    recipients: tuple[Annotated[str, AfterValidator(_public_key)], ...] = ()
    retention: RetentionConfig = RetentionConfig()
    drill: DrillConfig = DrillConfig()
    state_after_trade: bool = True
    jobs: int = Field(2, ge=1, le=32)
    wal: WalConfig = WalConfig()
