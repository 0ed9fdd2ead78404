"""trade_daily: decide and trade one session, from yesterday's fills to today's report; dags/docs/trade_daily.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import PokeReturnValue, TaskGroup, chain, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from pipeline.breaks import ask_about_breaks
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import EVENT_KEYS, MARKET_DATA, book_field, folder_field, optional_date, page, source_field
from pipeline.sending import book_and_session, wait_for_window, watch_at_once
from pipeline.tasks import back_up_state, plainly, session_plan

from trading_lib.workflows.stages.catalogue import Stage, in_group
from trading_lib.workflows.stages.xcom import plain


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
    def plan(params: dict[str, Any], dag_run: Any, triggering_asset_events: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.dag_runs import notes, parameters
        from trading_lib.workflows.data import tasks as market_data

        wanted = params
        if events := [event for group in (triggering_asset_events or {}).values() for event in group]:
            # A backfill repairs stored data of the past; it must never lead to orders.
            current = [event.extra for event in events if event.extra.get("run_type") != "backfill"]
            if not current:
                raise AirflowSkipException("the market data came from a backfill, which is never traded")
            wanted = parameters.newest_event(current, EVENT_KEYS)
        planned = replace(market_data.plan(**parameters.of_session(wanted)), received_at=parameters.received_at(wanted))
        notes.note_run(dag_run.dag_id, dag_run.run_id, notes.about_session(planned, book=True))
        return dict(plain(planned))

    @task.sensor(poke_interval=60, timeout=24 * 3600, mode="reschedule")
    @plainly
    def await_decision_time(ti: Any = None) -> PokeReturnValue:
        from trading_lib.workflows.trade import tasks as trading

        return PokeReturnValue(trading.is_decidable(session_plan(ti)))

    def traded(stage: Stage[Any]) -> Any:
        @task(task_id=stage.name, doc_md=stage.doc, multiple_outputs=False)
        @plainly
        def run(ti: Any = None) -> dict[str, Any]:
            found = stage.load()(session_plan(ti), None)
            if stage.name != "report":
                return dict(found)
            from trading_lib.workflows.dag_runs import reports

            return reports.finish_trading(ti.dag_id, ti.run_id, session_plan(ti), found)

        return run()

    @task.short_circuit
    @plainly
    def approval_needed(ti: Any = None) -> dict[str, Any]:
        from trading_lib.workflows.books import approvals
        from trading_lib.workflows.operations import airflow_answers

        airflow_answers.store_late_answer(session_plan(ti))
        return approvals.asked_by_session(session_plan(ti))

    with TaskGroup("prepare", prefix_group_id=False, tooltip="Bring the book to the session"):
        ready = [plan(), await_decision_time(), *map(traded, in_group("prepare"))]
    with TaskGroup("decide", prefix_group_id=False, tooltip="Signals, targets and risk control"):
        decided = [traded(stage) for stage in in_group("decide")]
    with TaskGroup("ask", prefix_group_id=False, tooltip="Risk levels 3 and 4 ask the operator; nothing here waits"):
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
        intended, *sent = map(traded, in_group("trade"))
        trade = [intended, wait_for_window(book_and_session), *sent]
        chain(sent[0], watch_at_once(book_and_session))

    with TaskGroup("account", prefix_group_id=False, tooltip="Books that agree, and a report"):
        accounted = [*map(traded, in_group("account")), task(multiple_outputs=False)(back_up_state)()]
        breaks = ask_about_breaks()
    chain(*ready, *decided, *trade, *accounted)
    chain(accounted[0], breaks)
    chain(decided[-1], needed, ask)


trade_daily()
