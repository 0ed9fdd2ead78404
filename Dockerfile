# One image for every service: Airflow, MLflow and the library in the same pinned environment.
FROM python:3.11-slim-bookworm AS environment

# libgomp: OpenMP for numba's parallel kernels.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/trading
COPY requirements.txt ./
RUN pip install --requirement requirements.txt

COPY pyproject.toml README.md LICENSE requirements.in requirements-dev.txt ./
COPY trading_lib ./trading_lib
COPY include ./include
COPY dags ./dags
COPY plugins ./plugins
COPY airflow_settings.yaml ./
RUN pip install --no-deps --editable .

RUN useradd --uid 50000 --create-home trading \
    && install --directory --owner trading /opt/trading/state /opt/trading/state/airflow /opt/trading/state/mlflow \
    && chown --recursive trading /opt/trading/trading_lib
USER trading

ENV TRADING_PROJECT=/opt/trading \
    TRADING_HOME=/opt/trading/state \
    TRADING_INCLUDE=/opt/trading/include \
    AIRFLOW_HOME=/opt/trading/state/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/trading/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/trading/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

# numba writes its cache beside the kernels; compiling once here spares every container the first half minute.
RUN trading backtest --from 2020-01-02 --to 2020-06-30 --no-track > /dev/null

CMD ["trading", "--help"]
