"""Whether a model is what it is said to be: its files by their hashes, its certificate by training it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from trading_lib.adapters.stores.postgres.json_codec import encode
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig
from trading_lib.workflows.learning.registration.certificate import certificate_of, read_certificate

if TYPE_CHECKING:
    from trading_lib.workflows.learning.train import TrainingRequest, TrainingRun
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
Train = Callable[["Settings", "TrainingRequest", Callable[[str], None]], "TrainingRun"]
LARGEST_CERTIFICATE = 4 * 1024**2
# Figures that count what else was tried before: they are another machine's, and prove nothing about this model.
OF_EARLIER_TRIALS = ("evidence.pbo", "evidence.deflated_sharpe")
# In the order in which one explains the next.
PARTS = (
    ("data", ("data_hash", "features")),
    ("configuration", ("configuration", "seed")),
    ("figure", ("evidence",)),
    ("file", ("files", "sha256")),
)


def verify(
    settings: Settings, target: str, data: Path | None, say: Callable[[str], None], train: Train | None = None
) -> Result:
    """Verify a version, the folder of a model, or a certificate.

    The files of a version or folder are compared with their hashes and read. A certificate, of its own or of either, is
    recomputed: the training is made again, and every figure and hash compared.

    Parameters
    ----------
    target
        Number of a version, a folder, or the file of a certificate.
    data
        Folder of prices in place of the one the certificate names.
    train
        Makes the training; as `trading train` does by default, but nothing is written or logged.

    Raises
    ------
    InputError
        When there is no such thing, or the files are not the registered ones; names the file.
    """
    text, where, files = _target(settings, target)
    if not text:
        return {"target": target, "files": files, "equal": True, "recomputed": False, "differences": []}
    return {"target": target, "files": files, **recompute(settings, text, where, data, say, train)}


def recompute(
    settings: Settings,
    text: str,
    where: str,
    data: Path | None,
    say: Callable[[str], None],
    train: Train | None = None,
) -> Result:
    """Make the training of a certificate again, and compare what comes out bit by bit."""
    stated = read_certificate(text, where)
    asked = _request(stated, where, data)
    learning = _configuration(stated, where)
    theirs = replace(settings, configuration=replace(settings.configuration, learning=learning))
    say(f"training {stated['kind']} again, {asked.first} to {asked.last}")
    if train is None:
        from trading_lib.workflows.learning.train import rehearse

        train = rehearse
    run = train(theirs, asked, say)
    if stated["kind"] not in run.models:
        problem = f"{where} is of a {stated['kind']} model, which its configuration does not train"
        raise InputError(problem, "give an unchanged certificate")
    found = read_certificate(certificate_of(run, stated["kind"]), "what was computed")
    return _compared(stated, found)


def _compared(stated: Mapping[str, Any], found: Mapping[str, Any]) -> Result:
    differences, count = [], 0
    for part, names in PARTS:
        for name in names:
            for place, one, other in _pairs(name, stated[name], found[name]):
                if place.startswith(OF_EARLIER_TRIALS):
                    continue
                count += 1
                if encode(one) != encode(other):
                    differences.append({"part": part, "what": place, "stated": one, "found": other})
    same_code = stated["code_version"] == found["code_version"]
    return {
        "recomputed": True,
        "equal": not differences,
        "compared": count,
        "left_out": list(OF_EARLIER_TRIALS),
        "cause": _cause(differences, same_code),
        "code_version": {"stated": stated["code_version"], "found": found["code_version"]},
        "differences": differences,
    }


def _cause(differences: list[Result], same_code: bool) -> str | None:
    """Name what differs first: data and configuration explain figures; so does other code, where they are equal."""
    if not differences:
        return None
    first: str = differences[0]["part"]
    return "code" if first in ("figure", "file") and not same_code else first


def _pairs(name: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every single value of two nested ones by its place; None where one of them has none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _pairs(f"{name}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _pairs(f"{name}[{at}]", left, right)
    else:
        yield name, one, other


def _target(settings: Settings, target: str) -> tuple[str, str, list[str]]:
    """Return the certificate, where it is from, and the files that were checked."""
    from trading_lib.workflows.learning.registration.opening import open_folder, open_model, stored_model

    path = Path(target)
    if target.isascii() and target.isdigit() and not path.exists():
        stored = stored_model(settings.engine(), int(target))
        open_model(stored)
        return stored.certificate, f"the certificate of version {target}", sorted(stored.files)
    if path.is_dir():
        from trading_lib.adapters.files.model_folder import read_model_folder

        found = read_model_folder(path)
        open_folder(path)
        where = f"the certificate in {path}"
        if found.certificate and read_certificate(found.certificate, where)["sha256"] != found.sha256:
            raise InputError(f"{where} is of another model", "export the model again")
        return found.certificate, where, sorted(found.files)
    if not path.is_file():
        raise InputError(
            f"there is no version, folder or certificate {target}", "`trading model list` shows the versions"
        )
    if path.stat().st_size > LARGEST_CERTIFICATE:
        raise InputError(f"{path} is too large for a certificate", "give the file `certificate.json` of a model")
    return path.read_bytes().decode(errors="replace"), str(path), []


def _request(stated: Mapping[str, Any], where: str, data: Path | None) -> TrainingRequest:
    from trading_lib.workflows.learning.train import TrainingRequest

    asked = stated["request"]
    try:
        first, last = (date.fromisoformat(asked[name]) for name in ("from", "to"))
        folders = [Path(asked[name]) if asked.get(name) else None for name in ("data", "universe_extra")]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where} does not say what was trained on", "give an unchanged certificate") from None
    return TrainingRequest(first=first, last=last, data=data or folders[0], universe_extra=folders[1], register=False)


def _configuration(stated: Mapping[str, Any], where: str) -> LearningConfig:
    try:
        return LearningConfig.model_validate(stated["configuration"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{where} has a configuration of another version ({place}: {first['msg']})", "use that version"
        ) from None
