"""Thresholds of the history and cross-source rules, with the reason for each.

Those of unstated splits and of dividends in the price were set while looking at the prices they are reported on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityRules:
    """What separates a defect from a market.

    "Scales" are robust standard deviations of the symbol's own log returns (`histories.robust_scale`), so one number
    fits bonds and crypto. Fractions are of price unless said otherwise.

    Attributes
    ----------
    missing_share
        Share of the calendar's sessions that may be absent (docs/specification.md#validation).
    coverage_sessions
        Fewest sessions of which a share is taken; in a week one late bar would already be 20 %.
    gap_sessions
        This many absent sessions in a row are one ``gap`` instead of single ``missing_bar`` findings.
    stale_sessions
        A symbol that ends this many sessions before its peers is an error; fewer are a warning.
    stray_gap_sessions, stray_bars
        At most ``stray_bars`` bars followed by a hole longer than ``stray_gap_sessions`` do not belong to the series.
    source_deviation
        Largest difference of one day's return between two sources (docs/specification.md#validation).
    gross_deviation
        Above this two sources cannot both be right about the day, and the bar is not traded on.
    reversal
        A deviation that this share of the one before cancels is its echo: one wrong close makes two wrong returns.
    confirmation
        Another source confirms a large move when its return differs by at most this share of the move.
    cross_section_scales, cross_section_peers
        A session is a market event when the median symbol of at least this many moved by this many scales.
    partial_volume_share, partial_scales, partial_deviation
        A bar is partial when its share of the other source's volume falls below this fraction of its usual share, by
        this many scales of that share, and its close is off by more than this: each alone happens on sound days.
    truncated_volume_share
        The same fraction where most symbols of a data set are below it in one session and close elsewhere: what one
        symbol does on a thin venue by itself, most of them do not do together.
    level_ratio, level_spread, level_overlap
        Two sources stand at different levels when the ratio of their closes is off 1 by this much and steady to within
        ``level_spread`` over ``level_overlap`` common sessions: a split, spin-off or unit that one of them lacks.
    judgeable_scales
        An action smaller than this many scales disappears in a day's ordinary moves and cannot be tested on prices.
    unexplained_scales
        A residual return of more than this many scales is no ordinary day.
    split_window
        Bars around a split in which its ratio may turn up on the wrong day; vendors correct histories within a week
        or two of the event.
    split_residual
        A move is the split's when taking the ratio out leaves less than this share of it.
    unit_ratios, unit_tolerance
        Factors between quoting units (100 pence a pound; 1,000 for thousandths) and the log distance that still counts.
    tick_scales, tick_move
        A spike: out by both this many local scales and this log return, and back the next bar.
    tick_window
        Bars around a spike that set its local scale; volatility clusters, so 2008 is measured by 2008.
    dividend_tolerance, dividend_share_floor
        Relative and absolute (share of price) mismatch of a dividend and the adjustment factor that rounding explains.
    dividend_drop
        A dividend "did not happen" when the price fell by less than this share of it.
    repeat_bars, repeat_similarity
        No issuer pays the same dividend (to within this relative difference) twice in so many bars.
    dividend_events
        Fewest ex-dates for the joint test of dividend size.
    refused_errors, fitting_errors
        The joint test calls dividends 100 times too small when the mean fall on ex-dates is this many standard errors
        beyond what they explain, and within this many of 100 times as much.
    minimum_bars
        Fewest bars from which a scale can be estimated.
    split_ratios
        New shares per old share of the splits that issuers make.
    reverse_ratios
        Old shares per new share of reverse splits. Shares converted in a merger leap by any ratio, so above 1:10 only
        the round ones count; ``price_scale`` keeps a leap of more than ten times out by whatever name.
    smallest_price_ratio
        Ratios below this are suspected only where the adjusted close shows them exactly: a fund or share does lose a
        quarter overnight on bad news, and no other trace tells that from a 4:3 split.
    smallest_close_ratio
        The same where only closes are known, so that nothing tells a split from a fall during the day: Bitcoin lost
        37 % on 2020-03-12.
    factor_tolerance
        Log distance of the step of adjusted over plain close from a ratio that rounding and a small dividend on the
        same day explain. The step is exact, so it needs no other evidence.
    split_scales
        An unstated split leaps by more than this many scales overnight. Scale: the larger of the last
        ``WINDOW`` bars' and of the last ``recent_bars`` (volatility clusters), at least ``least_scale``, times the
        square root of the sessions since the last accepted bar.
    opening_scales, least_opening
        A split is in force at the opening: the opening is off the ratio by no more than an overnight move, this many
        scales or this log distance, whichever is larger. Half a crash happens after the opening.
    closing_scales, least_closing
        The same for the close, which has a whole day's move on top (Tesla rose 13 % on the day of its 5:1 split).
    widest_range
        High over low of the day (log) in multiples of the median of the last ``recent_bars``. Days on which a price
        really halves trade over four to twenty times their ordinary range; days of splits over one to three.
    busiest_turnover
        Dollars traded in multiples of the median of the last ``recent_bars``. A split multiplies the shares and
        leaves the dollars; bad news that halves a price multiplies the dollars by five and more.
    exact_opening, range_of_leap
        An opening within one scale or this log distance of the ratio is no coincidence: then a range below this share
        of the leap, and twice ``busiest_turnover``, are still ordinary.
    recent_bars
        Bars that say what is ordinary for range and turnover: a quarter of a year.
    ex_date_events
        Fewest ex-dates for the joint test of whether closes fall on them.
    largest_ex_date_share
        Prices that fall by less than this share of the dividends on their ex-dates are nearer to adjusted than to
        plain prices, which fall by 0.8 to 1 of them.
    unadjusted_errors, unadjusted_errors_alone
        They are called adjusted when the share is this many standard errors below 1, over all symbols of a data set,
        or of one alone. More than chance asks for: index funds go ex on the Fridays on which futures expire, and
        these open higher than other days.
    """

    missing_share: float = 0.05
    coverage_sessions: int = 60
    gap_sessions: int = 5
    stale_sessions: int = 5
    stray_gap_sessions: int = 60
    stray_bars: int = 5
    source_deviation: float = 0.01
    gross_deviation: float = 0.05
    reversal: float = 0.3
    confirmation: float = 0.1
    cross_section_scales: float = 2.0
    cross_section_peers: int = 5
    partial_volume_share: float = 0.6
    partial_scales: float = 3.0
    partial_deviation: float = 0.0025
    truncated_volume_share: float = 0.8
    level_ratio: float = 0.01
    level_spread: float = 0.002
    level_overlap: int = 60
    judgeable_scales: float = 5.0
    unexplained_scales: float = 6.0
    split_window: int = 10
    split_residual: float = 1 / 3
    unit_ratios: tuple[float, ...] = (100.0, 1000.0)
    unit_tolerance: float = 0.2
    tick_scales: float = 6.0
    tick_move: float = 0.15
    tick_window: int = 31
    dividend_tolerance: float = 0.2
    dividend_share_floor: float = 0.001
    dividend_drop: float = 0.25
    repeat_bars: int = 5
    repeat_similarity: float = 0.25
    dividend_events: int = 8
    refused_errors: float = 3.0
    fitting_errors: float = 2.0
    minimum_bars: int = 20
    split_ratios: tuple[float, ...] = (5 / 4, 4 / 3, 3 / 2, 2, 5 / 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
    reverse_ratios: tuple[float, ...] = (5 / 4, 4 / 3, 3 / 2, 2, 3, 4, 5, 6, 7, 8, 10, 20, 25, 50)
    smallest_price_ratio: float = 1.45
    smallest_close_ratio: float = 1.9
    factor_tolerance: float = 0.005
    split_scales: float = 5.0
    least_scale: float = 0.005
    opening_scales: float = 3.0
    least_opening: float = 0.03
    closing_scales: float = 5.0
    least_closing: float = 0.05
    widest_range: float = 3.5
    busiest_turnover: float = 4.0
    exact_opening: float = 0.01
    range_of_leap: float = 1 / 8
    recent_bars: int = 63
    ex_date_events: int = 6
    largest_ex_date_share: float = 0.5
    unadjusted_errors: float = 6.0
    unadjusted_errors_alone: float = 6.0
