"""Encryption to public keys (age). The machine that makes backups cannot read them: the private key is elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trading_lib.domain.errors import FileTroubleError, InputError
from trading_lib.monitoring.backup.manifest import BackupDamagedError

SUFFIX = ".age"
PRIVATE = "AGE-SECRET-KEY-"


def encrypt(source: Path, target: Path, recipients: Sequence[str]) -> None:
    """Encrypt ``source`` so that each of the private keys opens it."""
    import pyrage

    try:
        keys = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    except pyrage.RecipientError:
        # Its checksum does not fit: a letter of it was mistyped.
        raise InputError(
            f"one of recipients in backup.yaml is no public key: {', '.join(recipients)}",
            "copy it again, whole, from the first line of the key's file",
        ) from None
    with source.open("rb") as plain, target.open("wb") as file:
        pyrage.encrypt_io(plain, file, keys)


def decrypt(source: Path, target: Path, identity: Path, where: str) -> None:
    """Decrypt ``source`` with the private keys of a file.

    Parameters
    ----------
    where
        What the backup is called in errors.

    Raises
    ------
    InputError
        When the file holds no key, or none that fits.
    BackupDamagedError
        When a key fits and the content does not.
    """
    import pyrage

    keys = _identities(identity)
    try:
        with source.open("rb") as file, target.open("wb") as plain:
            pyrage.decrypt_io(file, plain, keys)
    except pyrage.DecryptError as error:
        if "No matching keys" in str(error):
            raise InputError(
                f"the key in {identity} does not open {where}", "name the file of a key it was encrypted to"
            ) from None
        raise BackupDamagedError(
            f"{where} cannot be decrypted ({error})", "use another backup (`trading backup list`); nothing was restored"
        ) from None
    except OSError as error:
        # The library reports a changed block as an error of reading.
        if error.errno is not None:
            raise
        raise BackupDamagedError(
            f"{where} cannot be decrypted ({error})", "use another backup (`trading backup list`); nothing was restored"
        ) from None


def public_keys(identity: Path) -> list[str]:
    """Public keys that belong to the private ones of a file."""
    return [str(key.to_public()) for key in _identities(identity)]


def new_identity(path: Path) -> str:
    """Write a new private key into a file that only its owner reads, and return the public one."""
    import pyrage

    path = path.expanduser()
    key = pyrage.x25519.Identity.generate()
    public = str(key.to_public())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{path} exists already", "name a new file: a key that is overwritten is lost") from None
    except OSError as error:
        raise FileTroubleError(error, path) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(f"# public key: {public}\n{key}\n")
    return public


def _identities(path: Path) -> list[Any]:
    import pyrage

    try:
        lines = path.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"the key file {path} cannot be read ({reason})", "name the file of an age key") from None
    keys = []
    for line in lines:
        if line.strip().startswith(PRIVATE):
            try:
                keys.append(pyrage.x25519.Identity.from_str(line.strip()))
            except pyrage.IdentityError:
                raise InputError(f"the key in {path} is no age key", "copy it again, whole") from None
    if not keys:
        raise InputError(f"{path} holds no private age key", f"it has a line that begins with {PRIVATE}")
    return keys
