"""Raw answers of sources -> `Bars`; `Bars` -> the `PricePanel` known at each decision."""
