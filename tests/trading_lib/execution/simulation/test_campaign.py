"""Histories of crashes and lost answers: nothing is doubled, lost or stuck, and every planted bug is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from trading_lib.domain.errors import InputError
from trading_lib.execution.order_path import lifecycle, path
from trading_lib.execution.order_path.desk import Desk
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.campaign import ORDERS, play, run_campaign
from trading_lib.execution.simulation.history import History
from trading_lib.execution.simulation.judge import judge
from trading_lib.execution.simulation.model_broker import ModelBroker
from trading_lib.execution.simulation.mutants import MUTANTS, planted

POLICY = SendingPolicy()


def test_nothing_is_doubled_lost_or_stuck() -> None:
    result = run_campaign(range(3000))
    assert result.first_failure is None
    assert (result.duplicate_orders, result.lost_fills, result.phantom_positions, result.stuck) == (0, 0, 0, 0)
    # A campaign in which nothing happens would find nothing either.
    assert result.crashes > 3000
    assert result.events > 100_000


@pytest.fixture(params=sorted(MUTANTS))
def policy_of_a_mutant(request: pytest.FixtureRequest) -> Iterator[SendingPolicy]:
    with planted(request.param, POLICY) as policy:
        yield policy


def test_every_planted_bug_is_found(policy_of_a_mutant: SendingPolicy) -> None:
    assert run_campaign(range(2000), policy_of_a_mutant, until_failure=True).first_failure is not None


def test_a_planted_bug_is_taken_out_again() -> None:
    before = (path.send_one, Desk.save, dict(lifecycle._WEIGH))
    for name in MUTANTS:
        with planted(name, POLICY):
            pass
    assert (path.send_one, Desk.save, dict(lifecycle._WEIGH)) == before
    with pytest.raises(InputError, match="there is no planted bug 'none-such'"), planted("none-such", POLICY):
        pass


def test_a_failing_seed_replays_step_by_step() -> None:
    with planted("window-10-s", POLICY) as policy:
        failure = run_campaign(range(2000), policy, until_failure=True).first_failure
        assert failure is not None
        history, verdict = play(failure["seed"], policy, traced=True)
    assert not verdict.clean
    assert (history.mark, history.trace) == (failure["mark"], failure["trace"])


def test_the_digest_is_the_same_in_another_process_whatever_its_hash_seed() -> None:
    code = (
        "from trading_lib.execution.simulation.campaign import run_campaign\n"
        "print(run_campaign(range(300)).as_dict()['digest'])"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert digests == {run_campaign(range(300)).as_dict()["digest"]}
    assert run_campaign(range(1, 301)).as_dict()["digest"] not in digests


def clean_history() -> History:
    """A history that went well, with a fill of every order."""
    for seed in range(100):
        history, verdict = play(seed, POLICY)
        rows = history.store.rows.values()
        if verdict.clean and all(row.fills for row in rows) and not any(row.struck for row in rows):
            return history
    raise AssertionError("no such history")


def test_the_judge_sees_a_second_order() -> None:
    history = clean_history()
    history.broker.refuses_known = "never"
    history.broker.take(ORDERS[0], history.now)
    assert judge(history).duplicate_orders == 1


def test_the_judge_sees_a_lost_and_an_invented_fill() -> None:
    history = clean_history()
    row = next(iter(history.store.rows.values()))
    quantity = row.fills.pop(next(iter(row.fills)))
    row.filled -= quantity
    assert judge(history).lost_fills == 1
    row.fills["invented"] = quantity
    row.filled += quantity
    assert judge(history).phantom_positions == 1


def test_the_judge_sees_a_fill_that_counts_twice() -> None:
    history = clean_history()
    row = next(iter(history.store.rows.values()))
    row.filled += 1
    assert judge(history).phantom_positions == 1


def test_a_hidden_order_is_hidden_from_all_and_then_shown_by_one_view_at_least() -> None:
    shown = 0
    for seed in range(300):
        history = History(seed, ORDERS, POLICY)
        broker: ModelBroker = history.broker
        broker.take(ORDERS[0], 0.0)
        (taken,) = broker.taken
        identity = ORDERS[0].client_order_id
        assert broker.find(identity, taken.visible_at - 0.001) is None
        for now in (61.0, 90.0, 200.0, 700.0):
            views = [
                broker.find(identity, now) is not None,
                bool(broker.listed(now, True)),
                bool(broker.listed(now, False)),
                bool(broker.fills(now).fills),
            ]
            # A fill may be listed as late as 45 s after it was traded.
            assert any(views) or now < taken.ends_at + 45
            shown += sum(views)
    assert shown
