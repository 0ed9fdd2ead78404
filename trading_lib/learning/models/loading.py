"""Native files -> models, without running anything of theirs: no pickle, no loader beside a model, no unchecked count.

A library's parser is native code that believes what it reads. So whoever keeps files compares `files_digest` with what
was registered before anything else, and here every number is looked at before a library sees it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trading_lib.domain.errors import InputError, one_of
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.model import Model
from trading_lib.learning.models import ensemble, lightgbm, ridge, xgboost
from trading_lib.learning.models.lightgbm_text import check_text
from trading_lib.learning.models.moments import Standardisation
from trading_lib.learning.models.xgboost_json import check_json

# Bytes of one file; two thousand trees are below half of it.
LARGEST = 8 * 1024 * 1024
# No weight is near it; a NaN and an infinity are not below it.
LARGEST_NUMBER = 1e200
REMEDY = "restore the files as they were registered, or train again"


def files_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of a model's files and their names."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(json.dumps([name, len(files[name])]).encode())
        digest.update(files[name])
    return digest.hexdigest()


def load_model(kind: str, features: tuple[str, ...], files: Mapping[str, bytes]) -> Model:
    """Make a model of its native files.

    Parameters
    ----------
    features
        Names of the columns it was registered with, in order; its files must say the same.
    files
        As `Model.files` gave them.

    Raises
    ------
    InputError
        When a file is missing, unknown, too large or not what training writes; names it.
    """
    expected = {FILES[kind]} if kind in FILES else {ensemble.FILE}
    if kind == ensemble.EnsembleModel.kind:
        members = _members(features, _content(files, ensemble.FILE))
        expected |= {f"{member}/{FILES[member]}" for member in members}
        _require_names(kind, files, expected)
        return ensemble.EnsembleModel(
            features, tuple(_member(member, features, files, f"{member}/{FILES[member]}") for member in members)
        )
    if kind not in FILES:
        raise InputError(f"there is no stored model of the kind {kind!r}", one_of(kind, [*FILES, "ensemble"]))
    _require_names(kind, files, expected)
    return _member(kind, features, files, FILES[kind])


def _require_names(kind: str, files: Mapping[str, bytes], expected: set[str]) -> None:
    for name in sorted(set(files) - expected):
        raise InputError(f"{name} does not belong to a model of the kind {kind}", REMEDY)
    for name in sorted(expected - set(files)):
        raise InputError(f"{name} is missing from a model of the kind {kind}", REMEDY)


def _content(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise InputError(f"{name} is missing", REMEDY)
    if len(files[name]) > LARGEST:
        raise InputError(f"{name} has {len(files[name])} bytes, and no model has more than {LARGEST}", REMEDY)
    return bytes(files[name])


def _member(kind: str, features: tuple[str, ...], files: Mapping[str, bytes], name: str) -> Model:
    content = _content(files, name)
    try:
        return READERS[kind](features, content)
    # Whatever a library says about it, and in whatever class: the file is not usable.
    except Exception as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{name} is no usable model of the kind {kind} ({reason[0][:200]})", REMEDY) from None


def _read_ridge(features: tuple[str, ...], content: bytes) -> Model:
    found = _plain_object(content, {"kind", "features", "mean", "inverse_deviation", "weights", "intercept"})
    if found["kind"] != ridge.RidgeModel.kind or found["features"] != list(features):
        raise ValueError("it was trained on other features")
    mean, inverse, weights = (_numbers(found[name], len(features)) for name in ("mean", "inverse_deviation", "weights"))
    intercept = _numbers([found["intercept"]], 1)[0]
    return ridge.RidgeModel(features, Standardisation(mean, inverse), weights, float(intercept))


def _read_lightgbm(features: tuple[str, ...], content: bytes) -> Model:
    text = content.decode()
    check_text(text, features)
    return lightgbm.read_text(features, text)


def _read_xgboost(features: tuple[str, ...], content: bytes) -> Model:
    check_json(content, features)
    return xgboost.read_json(features, content)


def _members(features: tuple[str, ...], content: bytes) -> list[str]:
    try:
        found = _plain_object(content, {"kind", "features", "members"})
        members = found["members"]
        if found["kind"] != ensemble.EnsembleModel.kind or found["features"] != list(features):
            raise ValueError("it was trained on other features")
        if not isinstance(members, list) or not members or not all(isinstance(m, str) and m in FILES for m in members):
            raise ValueError("it names members that are none")
        if len(set(members)) < len(members):
            raise ValueError("it names a member twice")
    except ValueError as error:
        raise InputError(f"{ensemble.FILE} is no usable list of members ({error})", REMEDY) from None
    return members


def _plain_object(content: bytes, names: set[str]) -> dict[str, Any]:
    try:
        found = json.loads(content.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict) or set(found) != names:
        raise ValueError(f"it does not have the fields {', '.join(sorted(names))}")
    return found


def _numbers(given: Any, count: int) -> FloatArray:
    if not isinstance(given, list) or len(given) != count:
        raise ValueError(f"it does not have {count} numbers where it must")
    if not all(type(value) in (int, float) and abs(value) < LARGEST_NUMBER for value in given):
        raise ValueError("it has something else where a number must be")
    return np.array(given, dtype=float)


FILES: Mapping[str, str] = {"ridge": ridge.FILE, "lightgbm": lightgbm.FILE, "xgboost": xgboost.FILE}
READERS: Mapping[str, Callable[[tuple[str, ...], bytes], Model]] = {
    "ridge": _read_ridge,
    "lightgbm": _read_lightgbm,
    "xgboost": _read_xgboost,
}
