"""The supervisor's configuration. It holds no secret and no path: both reach the programs by their environment."""

from __future__ import annotations

import os
from collections.abc import Sequence

from trading_lib.adapters.services.supervision.components import COMPONENT_VARIABLE, Component

PYTHON_VARIABLE = "TRADING_PYTHON"
PROGRAM = "trading_lib.adapters.services.supervision.program"
LOG_BYTES = "10MB"
LOG_FILES = 3

# A path may hold what the parser takes for a comment or a format, so it arrives by `%(ENV_...)s`, which is put in last.
_SUPERVISOR = f"""\
[supervisord]
nodaemon = true
silent = true
directory = %(here)s
pidfile = %(here)s/supervisord.pid
logfile = %(ENV_TRADING_HOME)s/logs/supervisor.log
logfile_maxbytes = {LOG_BYTES}
logfile_backups = {LOG_FILES}
childlogdir = %(ENV_TRADING_HOME)s/logs
minfds = 64
minprocs = 1
"""

# It never gives up: `startretries` counts starts that fail within a second, each of which waits a second longer than
# the one before. What dies later is paused for by the program itself.
_PROGRAM = """\
[program:{name}]
command = "%(ENV_{python})s" -m {program} {name}
environment = {variable}="{name}"
autostart = true
autorestart = true
startsecs = 1
startretries = 1000000
stopasgroup = true
killasgroup = true
stopwaitsecs = 15
redirect_stderr = true
stdout_logfile = %(ENV_TRADING_HOME)s/logs/{name}.log
stdout_logfile_maxbytes = {log_bytes}
stdout_logfile_backups = {log_files}
"""


def configuration(components: Sequence[Component]) -> str:
    """Return the text of the supervisor's configuration file."""
    # Said on purpose, it is no warning: PostgreSQL, which must not run as root, has a user of its own.
    as_root = "user = root\n" if os.geteuid() == 0 else ""
    programs = [
        _PROGRAM.format(
            name=entry.name,
            program=PROGRAM,
            python=PYTHON_VARIABLE,
            variable=COMPONENT_VARIABLE,
            log_bytes=LOG_BYTES,
            log_files=LOG_FILES,
        )
        for entry in components
    ]
    return "\n".join([_SUPERVISOR + as_root, *programs])
