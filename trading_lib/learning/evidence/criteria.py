"""What a model has to show to pass, and in plain words what it fails to show."""

from __future__ import annotations

import math

import numpy as np

from trading_lib.learning.config import EvidenceConfig
from trading_lib.learning.evidence.model_evidence import ModelEvidence


def detected(evidence: ModelEvidence, config: EvidenceConfig) -> bool:
    """Whether there is something: a coefficient of the least size that neither null test explains.

    It may still be no better than an untrained baseline, learned by heart, or depend on the path.
    """
    p_values = (evidence.ic_null_p, evidence.timing_null_p)
    surprising = all(p_value is not None and p_value < config.significance for p_value in p_values)
    return surprising and evidence.ic_mean >= config.minimum_ic


def reasons_against(
    evidence: ModelEvidence, config: EvidenceConfig, baseline: str, baseline_ic: float, earning: str
) -> tuple[str, ...]:
    """One sentence for each criterion that is not met; none is a pass. A figure that is not known is not met.

    Parameters
    ----------
    baseline, baseline_ic
        Untrained baseline of the highest information coefficient, and that coefficient.
    earning
        Untrained baseline of the highest active return.
    """
    failed = (
        _size(evidence, config),
        _null(evidence.ic_null_p, config, "labels shuffled within sessions", "it may have learned noise"),
        _null(evidence.timing_null_p, config, "labels rotated in time", _timing(evidence, config)),
        _baseline(evidence, config, f"{baseline} (IC {plain(baseline_ic)})", earning),
        _gap(evidence, config),
        _variance(evidence, config),
    )
    return tuple(reason for reason in failed if reason)


def _size(evidence: ModelEvidence, config: EvidenceConfig) -> str:
    if evidence.ic_mean >= config.minimum_ic:
        return ""
    if math.isnan(evidence.ic_mean):
        return "IC is not known: no session has enough scored assets"
    return f"IC {plain(evidence.ic_mean)} is below {plain(config.minimum_ic)}"


def _null(p_value: float | None, config: EvidenceConfig, what: str, meaning: str) -> str:
    if p_value is None:
        return f"no model with {what} was trained to compare it with"
    if p_value < config.significance:
        return ""
    return f"{what} reach its IC in {share(p_value)} of draws: {meaning}"


def _timing(evidence: ModelEvidence, config: EvidenceConfig) -> str:
    """Say what a model lacks whose timing may be chance: all, or all but who did well."""
    informed = evidence.ic_null_p is not None and evidence.ic_null_p < config.significance
    return "it learned which assets did well, not when" if informed else "it does not know when either"


def _baseline(evidence: ModelEvidence, config: EvidenceConfig, best: str, earning: str) -> str:
    if evidence.beats_baseline_p is not None and evidence.beats_baseline_p < config.significance:
        return ""
    known = "it was not compared" if evidence.beats_baseline_p is None else f"p {evidence.beats_baseline_p:.2f}"
    return f"not surely better than {best} in IC and than {earning} in active return: {known}"


def _gap(evidence: ModelEvidence, config: EvidenceConfig) -> str:
    if evidence.train_gap <= config.train_gap:
        return ""
    if math.isnan(evidence.train_gap):
        return "active Sharpe ratio in training is not known"
    return (
        f"active Sharpe ratio in training is {plain(evidence.train_gap, 2)} above that in validation, more than "
        f"{plain(config.train_gap, 2)}: it learned its sessions by heart"
    )


def _variance(evidence: ModelEvidence, config: EvidenceConfig) -> str:
    paths = np.array(evidence.active_sharpe_by_path)
    variance = float(paths.var(ddof=1)) if len(paths) > 1 else math.nan
    if variance <= config.path_variance:
        return ""
    if math.isnan(variance):
        return "variance of the active Sharpe ratio over paths is not known"
    return (
        f"active Sharpe ratio varies by {plain(variance, 2)} over the paths, more than "
        f"{plain(config.path_variance, 2)}: it depends on which sessions it was trained on"
    )


def plain(value: float, digits: int = 3) -> str:
    """Write a number as the field writes coefficients, without the zero before the point: .026."""
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


def share(p_value: float) -> str:
    """Write a p-value in percent; one below a percent keeps a digit."""
    percent = 100.0 * p_value
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %"
