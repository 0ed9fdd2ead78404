"""sources.yaml: the order of sources, retries, rate limits, breakers, and the cache."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, SecretStr, model_validator

from trading_lib.domain.configuration import Configuration


class Route(StrEnum):
    """Kinds of data that have an order of sources of their own; the first two are asset classes.

    Funding is asked of every source of its list, since each venue's rate is its own. The last two may be left out.
    """

    US_ETF = "US_ETF"
    CRYPTO = "CRYPTO"
    VOLATILITY_INDEX = "volatility_index"
    MACRO = "macro"
    FUNDING = "funding"
    POSITIONING = "positioning"


OPTIONAL_ROUTES = (Route.FUNDING, Route.POSITIONING)
BAR_ROUTES = (Route.US_ETF, Route.CRYPTO, Route.VOLATILITY_INDEX)


class RetryConfig(Configuration):
    """Attempts at one request, and the waits between them.

    Attributes
    ----------
    attempts
        Including the first.
    first_wait_seconds, longest_wait_seconds
        The wait doubles from attempt to attempt, up to the longest, with random jitter. A wait that the source asks
        for (Retry-After) is kept to; if it is longer than the longest, the next source is asked instead.
    """

    attempts: int = Field(ge=1, le=10)
    first_wait_seconds: float = Field(ge=0, le=60)
    longest_wait_seconds: float = Field(ge=0, le=600)


class BreakerConfig(Configuration):
    """When a circuit breaker opens.

    Attributes
    ----------
    failures_to_open
        Failed attempts in a row.
    open_seconds
        How long it is left alone before one request may try it.
    probe_seconds
        How long that request may take before another one may try, in case its process died.
    """

    failures_to_open: int = Field(ge=1, le=100)
    open_seconds: float = Field(gt=0, le=86_400)
    probe_seconds: float = Field(gt=0, le=3_600)


class RateLimit(Configuration):
    """The rate limit of a source.

    Attributes
    ----------
    requests, seconds
        At most so many requests in any period of that length.
    burst
        Requests that may follow each other at once; the others are spread over the period.
    per_symbol
        Requests the source's client makes for the bars of one symbol.
    patience_seconds
        Longest wait for a free place; beyond it the next source is asked.
    """

    requests: int = Field(ge=2)
    seconds: float = Field(gt=0)
    burst: int = Field(default=1, ge=1)
    per_symbol: int = Field(default=1, ge=1)
    patience_seconds: float = Field(default=60, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> RateLimit:
        if not self.per_symbol <= self.burst < self.requests:
            raise ValueError("per_symbol <= burst < requests must hold")
        return self


class CacheConfig(Configuration):
    """The cache of source answers.

    Attributes
    ----------
    memory_requests
        Answers kept in memory, the least recently used is dropped first.
    retention_days
        How long the database (and the remote tier) keeps them.
    settled_hours
        How long an answer stands in for a later question about the same days, all of which were complete when it was
        given. It never stands in for days that were not.
    remote_url
        ``redis://host:port/number`` or ``s3://bucket/prefix``, None for no shared tier. A password in it belongs into
        the environment: TRADING_SOURCES__CACHE__REMOTE_URL.
    """

    memory_requests: int = Field(ge=1, le=100_000)
    retention_days: int = Field(ge=1, le=3_650)
    settled_hours: float = Field(ge=0, le=24 * 365)
    remote_url: SecretStr | None = None


class IngestConfig(Configuration):
    """How a run fetches and when it stops.

    Attributes
    ----------
    symbols_per_task
        A group with more symbols is split into several tasks.
    fetch_ahead_days
        A run for a past session fetches so many days at once, so that the runs after it in a backfill find them.
    most_missing
        Share of the exchange symbols without an accepted bar beyond which a session's validation fails.
    """

    symbols_per_task: int = Field(ge=1, le=1_000)
    fetch_ahead_days: int = Field(ge=0, le=3_650)
    most_missing: float = Field(gt=0, le=1)


class FileLimits(Configuration):
    """How large a file of a data folder may be; a small file can unpack to more memory than there is.

    Attributes
    ----------
    max_rows, max_columns
        Of one file.
    max_megabytes
        Of one file once it is unpacked.
    """

    max_rows: int = Field(default=20_000_000, gt=0)
    max_columns: int = Field(default=2_000, gt=0)
    max_megabytes: int = Field(default=2_000, gt=0)


class DefaultSource(Configuration):
    """What is read where a command or a DAG run names neither a source nor a folder.

    Attributes
    ----------
    source
        "simulated", "files", "chain", a source of any order or the user's own (``file.py:Class``); None for files
        when there is a folder, else simulated.
    folder
        Prices that the source "files" reads when no other folder is named; a relative one is the project's.
    """

    source: str | None = None
    folder: str | None = Field(default=None, min_length=1)

    @property
    def kind(self) -> str:
        """The source by name."""
        return self.source or ("files" if self.folder else "simulated")


class LatencyConfig(Configuration):
    """How long a session may take before its run warns (docs/specification.md#latency).

    Attributes
    ----------
    data_ready_minutes
        From the exchange's close until the session's data is stored and judged.
    signal_seconds
        From the moment a decision has its data, and may be made, until its signals are stored.
    """

    data_ready_minutes: float = Field(default=30, gt=0)
    signal_seconds: float = Field(default=60, gt=0)


class SourcesConfig(Configuration):
    """sources.yaml.

    Attributes
    ----------
    order
        Route -> names of sources, the first one is asked first.
    rate_limits
        Source -> limit; a source without one is asked as fast as it answers.
    own
        Classes of the user's own, ``file.py:Class``, that forms offer beside those of the orders and the default.
    """

    order: Mapping[Route, tuple[str, ...]]
    retry: RetryConfig
    breaker: BreakerConfig
    rate_limits: Mapping[str, RateLimit] = Field(default_factory=dict)
    cache: CacheConfig
    ingest: IngestConfig
    files: FileLimits = FileLimits()
    default: DefaultSource = DefaultSource()
    latency: LatencyConfig = LatencyConfig()
    own: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _default_is_known(self) -> SourcesConfig:
        names = ("simulated", "files", "chain", *self.names)
        if self.default.kind not in names and ":" not in self.default.kind:
            raise ValueError(f"default.source {self.default.source!r} is unknown, use one of {', '.join(names)}")
        if self.default.kind == "files" and not self.default.folder:
            raise ValueError("default.source is files, but default.folder names none")
        return self

    @model_validator(mode="after")
    def _complete(self) -> SourcesConfig:
        missing = [route.value for route in Route if route not in self.order and route not in OPTIONAL_ROUTES]
        if missing:
            raise ValueError(f"order says nothing about {', '.join(missing)}")
        for route, names in self.order.items():
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"order of {route.value} lists {', '.join(twice)} twice")
        unknown = sorted(set(self.rate_limits) - set(self.names))
        if unknown:
            raise ValueError(f"rate_limits names {', '.join(unknown)}, which no order has")
        return self

    @model_validator(mode="after")
    def _own_are_classes(self) -> SourcesConfig:
        for name in self.own:
            if ":" not in name:
                raise ValueError(f"own lists {name!r}, which is no file.py:Class")
        return self

    @property
    def own_names(self) -> tuple[str, ...]:
        """User-defined sources named anywhere in sources.yaml, each once."""
        named = (*self.own, *self.market_names, self.default.kind)
        return tuple(dict.fromkeys(name for name in named if ":" in name))

    @property
    def names(self) -> tuple[str, ...]:
        """Every source of any order, once, in the order of appearance."""
        return tuple(dict.fromkeys(name for route in Route for name in self.order.get(route, ())))

    @property
    def market_names(self) -> tuple[str, ...]:
        """The sources of bars and macro series among them."""
        return tuple(dict.fromkeys(name for route in (*BAR_ROUTES, Route.MACRO) for name in self.order.get(route, ())))
