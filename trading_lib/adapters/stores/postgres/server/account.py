"""The account of the operating system that PostgreSQL runs under, and how programs are started under it.

PostgreSQL refuses to run as root. Started by root it therefore runs as the owner of its data folder, and a new folder
is given to a system account of its own. That account has no way into root's home; instead of opening the folders
above to everybody, the server is started with the one capability it lacks there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trading_lib.adapters.stores.postgres.server.programs import program
from trading_lib.domain.errors import StorageUnavailableError

ROOT = "root"
SYSTEM_ACCOUNT = "pgserver"
# Passing and reading closed folders suffices; many containers withhold it from root and grant the wider one.
CAPABILITIES = ("dac_read_search", "dac_override")
# The server is handed no secret of its starter's environment.
INHERITED_VARIABLES = ("PATH", "TZ", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server.

    Attributes
    ----------
    name, uid, gid
        As the operating system knows the account.
    changed
        Whether it is another one than this process's, which is then root's.
    capability
        Capability of Linux the programs are started with; None for none, as is the rule.
    """

    name: str
    uid: int
    gid: int
    changed: bool = False
    capability: str | None = None

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``command`` under the account, away from any folder that could be deleted, and return its result."""
        arguments = [*self._prefix(), *command]
        if self.changed and self.capability is None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        environment = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        return subprocess.run(
            arguments,
            check=False,
            text=True,
            errors="replace",
            cwd="/",
            stdin=subprocess.DEVNULL,
            env={**environment, "LC_ALL": "C"},
            **options,
        )

    def own(self, path: Path) -> None:
        """Hand ``path`` to the account; nothing to do where the starter is the account."""
        if self.changed:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_all(self, folder: Path) -> None:
        """Hand ``folder`` and everything below it to the account: a copy made by root is all root's."""
        if not self.changed:
            return
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self.own(Path(parent) / name)
        self.own(folder)

    def _prefix(self) -> list[str]:
        if self.capability is None:
            return []
        only = f"-all,+{self.capability}"
        # Without the last option the kernel forgets the capability whenever a program asks whether it may open a file.
        return [
            *("setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"),
            *(f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}"),
            "--securebits=+no_setuid_fixup",
        ]


def account_for(folder: Path) -> Account:
    """Return who runs the server whose data lies in ``folder``.

    That is the user of this process; where it is root, the folder's owner, or for root's own a system account.
    """
    user = os.geteuid()
    owner = folder.stat().st_uid if folder.exists() else user
    if user != 0:
        if owner != user:
            raise StorageUnavailableError(
                f"{folder} belongs to {_name(owner)}", "work as that user, or set TRADING_HOME to a folder of your own"
            )
        return _account(user)
    return _account(owner, changed=True) if owner else _system_account()


def reaching(account: Account, folder: Path) -> Account:
    """Return the account with what it needs to reach ``folder`` and the programs; raises where that is impossible."""
    if not account.changed:
        return account
    for capability in (None, *CAPABILITIES):
        candidate = replace(account, capability=capability)
        if _reaches(candidate, folder):
            return candidate
    raise StorageUnavailableError(
        f"PostgreSQL does not run as root, and the account {account.name} it runs under cannot reach {folder}",
        "work as an ordinary user, or set TRADING_HOME to a folder that other accounts may pass",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user number {uid}"


def _account(uid: int, changed: bool = False) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise StorageUnavailableError(
            f"PostgreSQL cannot run as user number {uid}, which has no name on this machine",
            "create the user, or name another server in TRADING_DATABASE_URL",
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid, changed)


def _system_account() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        entry = _create_system_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, changed=True)


def _create_system_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        reason = done.stderr.strip()
    except OSError as error:
        reason = f"{command[0]}: {error.strerror}"
    try:
        # Another command may have created it at the same moment.
        return pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        raise StorageUnavailableError(
            f"PostgreSQL does not run as root, and an account for it cannot be created ({reason})",
            f"create a system user {SYSTEM_ACCOUNT}, or work as an ordinary user",
        ) from None


def _reaches(account: Account, folder: Path) -> bool:
    """Whether programs of the account start and find their way to ``folder``; tried, not computed from modes."""
    if account.capability and not shutil.which("setpriv"):
        return False
    attempt = ["/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", str(folder), str(program("postgres"))]
    return account.run(attempt, capture_output=True).returncode == 0
