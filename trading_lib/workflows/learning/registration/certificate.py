"""A model's certificate: what it was trained on and by, and what came out, so that anybody can come to the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.postgres.json_codec import decode, encode
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import canonical, file_digests, model_digest

if TYPE_CHECKING:
    from trading_lib.workflows.learning.train import TrainingRun

FORMAT = 1
KEYS = {
    *("format", "kind", "request", "configuration", "seed", "data_source", "data_hash", "features", "code_version"),
    *("evidence", "files", "sha256"),
}


def certificate_of(run: TrainingRun, kind: str) -> str:
    """Write the certificate of one model of a training, as canonical JSON."""
    model = run.models[kind]
    digests = file_digests(model.files())
    content = {
        "format": FORMAT,
        "kind": kind,
        "request": dict(run.request.record()),
        "configuration": run.configuration.model_dump(mode="json"),
        "seed": run.configuration.seed,
        "data_source": run.data_source,
        "data_hash": run.dataset.digest,
        "features": list(model.features),
        "code_version": run.code_version,
        "evidence": run.evidence[kind].report(),
        "files": digests,
        "sha256": model_digest(kind, model.features, digests),
    }
    return canonical(encode(content)) + "\n"


def read_certificate(text: str, where: str) -> Mapping[str, Any]:
    """Read a certificate.

    Parameters
    ----------
    where
        It came from, for the error.

    Raises
    ------
    InputError
        When it is none, or of another format.
    """
    remedy = "give the file `certificate.json` of a registered model (`trading model export`)"
    try:
        content = decode(json.loads(text))
        encode(content)  # what is nested too deeply to be compared is none either
    except (ValueError, TypeError, ArithmeticError, RecursionError, InputError):
        raise InputError(f"{where} is no JSON", remedy) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or set(content) != KEYS:
        raise InputError(f"{where} is no certificate of a model", remedy)
    mappings = ("request", "configuration", "evidence", "files")
    if not all(isinstance(content[name], dict) for name in mappings) or not isinstance(content["features"], list):
        raise InputError(f"{where} is no certificate of a model", remedy)
    return content
