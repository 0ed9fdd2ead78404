"""Whether a model's files are the ones that were registered, before any library reads one of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import LARGEST_FILE, MOST_FILES, model_digest

# Native texts, one folder deep at the most; nothing that a loader would run or unpickle.
FILE_NAME = re.compile(r"(?:[a-z0-9_]{1,40}/)?[a-z0-9_]{1,40}\.(?:json|txt)")
KINDS = ("ridge", "lightgbm", "xgboost", "ensemble")
SHA256 = re.compile(r"[0-9a-f]{64}")
RETRAIN = "do not use it; train again, or go back with `trading model rollback`"


class TamperedModelError(InputError):
    """A model's files are not what was registered."""


def require_described(what: str, kind: str, features: Sequence[str], digests: Mapping[str, str], sha256: str) -> None:
    """Refuse a description that no registered model could have.

    Parameters
    ----------
    what
        The model in words, for the error.
    digests
        Name -> SHA-256 of each file.
    sha256
        Of the whole, as of `model_digest`.
    """
    if kind not in KINDS:
        raise TamperedModelError(f"{what} is of the unknown kind {kind!r}", f"the kinds are {', '.join(KINDS)}")
    if not digests or len(digests) > MOST_FILES:
        raise TamperedModelError(f"{what} lists {len(digests)} files", f"1 to {MOST_FILES} are usual")
    if not features or len(set(features)) < len(features):
        raise TamperedModelError(f"{what} names no feature, or one twice", RETRAIN)
    for name, digest in digests.items():
        if FILE_NAME.fullmatch(name) is None:
            raise TamperedModelError(f"{what} lists the file {name!r}, which is no native file of a model", RETRAIN)
        if SHA256.fullmatch(digest) is None:
            raise TamperedModelError(f"{what} lists {name} with {digest!r}, which is no SHA-256", RETRAIN)
    if model_digest(kind, features, digests) != sha256:
        raise TamperedModelError(
            f"kind, features and files of {what} do not have its SHA-256 {sha256[:12]}: one of them was changed",
            RETRAIN,
        )


def require_genuine(what: str, digests: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Refuse files that are not the listed ones, byte by byte.

    Raises
    ------
    TamperedModelError
        Naming the first file that is missing, not listed, too large or other than it was.
    """
    for name in sorted({*digests, *files}):
        if name not in files:
            raise TamperedModelError(f"{what} lacks its file {name}", RETRAIN)
        if name not in digests:
            raise TamperedModelError(f"{what} has the file {name}, which it does not list", RETRAIN)
        if len(files[name]) > LARGEST_FILE:
            raise TamperedModelError(f"the file {name} of {what} is larger than any registered one", RETRAIN)
        found = hashlib.sha256(files[name]).hexdigest()
        if found != digests[name]:
            raise TamperedModelError(
                f"the file {name} of {what} has SHA-256 {found[:12]}, and was registered with {digests[name][:12]}",
                RETRAIN,
            )
