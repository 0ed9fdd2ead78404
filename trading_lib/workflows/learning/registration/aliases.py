"""Which version is challenger or champion: promotion when it is better and an operator approves, and the ways back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError, TradingError
from trading_lib.learning.registered import Alias, AliasChange, Aliases, StoredModel
from trading_lib.workflows.learning.registration.opening import open_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from trading_lib.adapters.stores.learning.model_store import ModelStore
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
FOLDER = "models"


class PromotionRefusedError(TradingError):
    """A model has not shown that it is better than what it would replace."""


def promote(settings: Settings, version: int, operator: str, reason: str = "") -> Result:
    """Make the challenger the champion, when it has shown that it is better and an operator says so.

    Its mean information coefficient must exceed the champion's by more than `lifecycle.better_by`, with a p-value below
    `lifecycle.better_p`; the first champion is compared with the best untrained baseline. There is no way around it.

    Raises
    ------
    InputError
        When nobody is named, or the version is not the challenger.
    PromotionRefusedError
        When it is not better; the refusal is recorded.
    TamperedModelError
        When its files are not the registered ones.
    """
    from trading_lib.adapters.stores.learning.lifecycle_store import LifecycleStore, ModelEvent
    from trading_lib.workflows.learning.registration.comparing import compared

    engine, at = settings.engine(), settings.clock()
    _require_operator(operator, "a promotion")
    store = _store(settings)
    _require_challenger(version, store.aliases())
    before = store.aliases().holder(Alias.CHAMPION)
    comparison = compared(engine, version, settings.configuration.learning)
    if not comparison.better:
        event = ModelEvent("promotion refused", comparison.reason, operator, at, version)
        LifecycleStore(engine).add_event(event)
        raise PromotionRefusedError(
            f"version {version} does not replace {comparison.against}: {comparison.reason}",
            "it stays challenger; `trading model status` shows how it does",
        )
    said = f"{comparison.reason}; {reason}" if reason else comparison.reason

    def decide(model: StoredModel, aliases: Aliases) -> Sequence[AliasChange]:
        _require_challenger(version, aliases)
        if aliases.holder(Alias.CHAMPION) != before:
            raise InputError("the champion has just changed", "look at `trading model status` and promote again")
        return _crowned(version, aliases, f"replaced by version {version}", said, operator, at)

    open_model(store.with_files(store.version(version)))  # nobody could ask a champion that cannot be read
    result = _change(settings, store, version, decide)
    return {**result, "certificate": str(_write_certificate(settings, store.version(version)))}


def challenge(settings: Settings, version: int, operator: str, reason: str) -> Result:
    """Make a registered version the challenger again, whether it is a candidate or retired.

    Raises
    ------
    InputError
        When nobody or no reason is named, there is no such version, or it is champion or challenger already.
    TamperedModelError
        When its files are not the registered ones.
    """
    _require_operator(operator, "a challenge")
    _require_reason(reason, "a challenge")
    store, at = _store(settings), settings.clock()

    def decide(model: StoredModel, aliases: Aliases) -> Sequence[AliasChange]:
        changes = aliases.named_challenger(version, reason, operator, at)
        if not changes:
            raise InputError(f"version {version} is the {aliases.of(version)}", "`trading model list` shows the others")
        return changes

    open_model(store.with_files(store.version(version)))  # nobody could ask a challenger that cannot be read
    return _change(settings, store, version, decide)


def retire(settings: Settings, version: int, operator: str, reason: str) -> Result:
    """Take a version's alias away; without a champion nothing is traded on a model.

    Raises
    ------
    InputError
        When nobody or no reason is named, or the version has no alias.
    """
    _require_operator(operator, "a retirement")
    _require_reason(reason, "a retirement")
    at = settings.clock()

    def decide(model: StoredModel, aliases: Aliases) -> Sequence[AliasChange]:
        if aliases.of(version) is None:
            raise InputError(f"version {version} is retired already", "`trading model history` shows since when")
        return [AliasChange(version, None, reason, operator, at)]

    return _change(settings, _store(settings), version, decide)


def rollback(settings: Settings, operator: str, reason: str, to: int | None = None) -> Result:
    """Make the champion before the last one champion again.

    Parameters
    ----------
    to
        Another version that was champion once.

    Raises
    ------
    InputError
        When nobody or no reason is named, or there is no such champion.
    """
    _require_operator(operator, "a rollback")
    _require_reason(reason, "a rollback")
    store, at = _store(settings), settings.clock()
    aliases = store.aliases()
    earlier = aliases.earlier_champions()
    if to is None and not earlier:
        raise InputError("there is no earlier champion to go back to", "`trading model retire` ends the present one")
    target = earlier[0] if to is None else to

    def decide(model: StoredModel, now: Aliases) -> Sequence[AliasChange]:
        if target not in now.ever(Alias.CHAMPION):
            raise InputError(f"version {target} was never champion", "`trading model history` shows which were")
        if now.holder(Alias.CHAMPION) == target:
            raise InputError(f"version {target} is the champion", "name another one with --to")
        if to is None and now.earlier_champions() != earlier:
            raise InputError("the champion has just changed", "look at `trading model status` and roll back again")
        return _crowned(target, now, f"rolled back to version {target}: {reason}", reason, operator, at)

    open_model(store.with_files(store.version(target)))  # a champion that cannot be read is no remedy
    return _change(settings, store, target, decide)


def _crowned(version: int, aliases: Aliases, ended: str, reason: str, by: str, at: datetime) -> list[AliasChange]:
    """Let a version be champion, and the present champion none."""
    before = aliases.holder(Alias.CHAMPION)
    changes = [] if before is None else [AliasChange(before, None, ended, by, at)]
    return [*changes, AliasChange(version, Alias.CHAMPION, reason, by, at)]


def _write_certificate(settings: Settings, model: StoredModel) -> Path:
    """Write the champion's certificate where the operator finds it; the database has it too."""
    path = settings.folders.closed(FOLDER) / f"version-{model.version}.certificate.json"
    write_whole(path, model.certificate.encode())
    return path


def _change(
    settings: Settings, store: ModelStore, version: int, decide: Callable[[StoredModel, Aliases], Sequence[AliasChange]]
) -> Result:
    from trading_lib.workflows.learning.registration.mirror import mirror

    before = store.aliases()
    after = store.change(version, decide)
    alias = after.of(version)
    return {
        "version": version,
        "alias": None if alias is None else str(alias),
        "champion": after.holder(Alias.CHAMPION),
        "champion_before": before.holder(Alias.CHAMPION),
        "reason": after.current[version].reason,
        "by": after.current[version].by,
        "mlflow": mirror(settings, store),
    }


def _require_operator(operator: str, what: str) -> None:
    if not operator.strip():
        raise InputError(f"{what} needs the name of who approves it", "give --operator NAME")


def _require_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise InputError(f"{what} needs a reason, for the record", "give --reason TEXT")


def _require_challenger(version: int, aliases: Aliases) -> None:
    alias = aliases.of(version)
    if alias is not Alias.CHALLENGER:
        if version not in aliases.current:
            raise InputError(f"there is no model version {version}", "`trading model list` shows those there are")
        standing = "retired" if alias is None else f"a {alias}" if alias is Alias.CANDIDATE else f"the {alias}"
        raise InputError(
            f"version {version} is {standing}, and only the challenger is promoted",
            "`trading model status` shows which that is",
        )


def _store(settings: Settings) -> ModelStore:
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    return ModelStore(settings.engine())
