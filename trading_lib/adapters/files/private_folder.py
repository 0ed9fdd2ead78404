"""Whether other users may change the contents of a folder, by its owner and mode."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from trading_lib.domain.errors import ConfigurationError


def others_may_write(folder: Path) -> bool:
    """Whether somebody but its owner and root may create, rename and replace entries of ``folder``.

    A group that is its owner's alone, as many systems make one for every user, is nobody else. A folder that does not
    exist is nobody's yet.
    """
    try:
        status = folder.stat()
    except FileNotFoundError:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status)


def refuse_shared(home: Path) -> None:
    """Raise `ConfigurationError` when others may write to ``home``.

    They could put folders of their own where the database, the logs and the settings of the services belong, and so
    read everything and run programs as the user who starts them.
    """
    if others_may_write(home):
        raise ConfigurationError(
            f"other users may write to {home}", "take that away (chmod go-w), or set TRADING_HOME to a folder of yours"
        )


def _is_own_group(status: os.stat_result) -> bool:
    if status.st_gid == 0:
        return True
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == group.gr_gid and group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}
