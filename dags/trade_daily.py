"""trade_daily: decide and trade one session, from yesterday's fills to today's report; docs/trade_daily.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import PokeReturnValue, TaskGroup, chain, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from pipeline_forms import EVENT_KEYS, MARKET_DATA, book_field, folder_field, optional_date, page, source_field
from pipeline_tasks import plainly, plan_of
from task_defaults import TASK_DEFAULTS

Plan = dict[str, Any]


@dag(
    schedule=[MARKET_DATA],
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "session": optional_date("Session", "Trading day to decide. Empty: the newest that can be decided."),
        "source": source_field(),
        "data": folder_field(),
        "book": book_field(),
    },
    tags=["daily"],
    description="Decide and paper-trade one session, as soon as its market data is there",
    doc_md=page(__file__),
)
def trade_daily() -> None:
    @task(multiple_outputs=False)
    @plainly
    def plan(params: dict[str, Any], dag_run: Any, triggering_asset_events: Any = None) -> Plan:
        from trading_lib.workflows import market_data
        from trading_lib.workflows.dag_runs import notes, parameters

        wanted: Plan = params
        if events := [event for group in (triggering_asset_events or {}).values() for event in group]:
            # A backfill repairs stored data of the past; it must never lead to orders.
            current = [event.extra for event in events if event.extra.get("run_type") != "backfill"]
            if not current:
                raise AirflowSkipException("the market data came from a backfill, which is never traded")
            wanted = parameters.newest_event(current, EVENT_KEYS)
        planned = market_data.plan(**parameters.of_session(wanted)) | {"received_at": wanted.get("received_at")}
        notes.note_run(dag_run.dag_id, dag_run.run_id, notes.about_session(planned, book=True))
        return planned

    @task.sensor(poke_interval=60, timeout=24 * 3600, mode="reschedule")
    @plainly
    def await_decision_time(ti: Any = None) -> PokeReturnValue:
        from trading_lib.workflows import trading

        return PokeReturnValue(datetime.fromisoformat(trading.decision_time(plan_of(ti))) <= datetime.now(UTC))

    def stage(name: str) -> Any:
        @task(task_id=name, multiple_outputs=False)
        @plainly
        def run(ti: Any = None) -> Plan:
            from trading_lib.workflows import trading

            return dict(getattr(trading, name)(plan_of(ti)))

        return run()

    @task.short_circuit
    @plainly
    def approval_needed(ti: Any = None) -> Plan:
        from trading_lib.workflows import airflow_answers, approvals

        airflow_answers.store_late_answer(plan_of(ti))
        return approvals.asked_by_session(plan_of(ti))

    @task(multiple_outputs=False)
    @plainly
    def report(ti: Any = None) -> Plan:
        from trading_lib.workflows import trading
        from trading_lib.workflows.dag_runs import reports

        return reports.finish_trading(ti.dag_id, ti.run_id, plan_of(ti), trading.report(plan_of(ti)))

    with TaskGroup("prepare", prefix_group_id=False, tooltip="Bring the book to the session"):
        ready = [plan(), await_decision_time(), stage("settle")]
    with TaskGroup("decide", prefix_group_id=False, tooltip="Signals, targets and risk control"):
        decided = [stage(name) for name in ("signals", "targets", "risk")]
    with TaskGroup("ask", prefix_group_id=False, tooltip="Risk levels 3 and 4 ask a person; nothing here waits"):
        ask = TriggerDagRunOperator(
            task_id="ask_for_approval",
            trigger_dag_id="risk_approval",
            trigger_run_id="{{ ti.xcom_pull(task_ids='approval_needed')['run_id'] }}",
            conf={"book": "{{ ti.xcom_pull(task_ids='approval_needed')['book'] }}"},
            logical_date=None,
            skip_when_already_exists=True,
        )
        needed = approval_needed()
    with TaskGroup("trade", prefix_group_id=False, tooltip="Orders, each sent once"):
        traded = [stage(name) for name in ("orders", "place", "fills")]
    with TaskGroup("account", prefix_group_id=False, tooltip="Books that agree, and a report"):
        accounted = [stage("reconcile"), report()]
    chain(*ready, *decided, *traded, *accounted)
    chain(decided[-1], needed, ask)


trade_daily()
