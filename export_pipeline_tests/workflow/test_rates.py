from dataclasses import replace

from export_pipeline.workflow.rates import Calls, rates
from export_pipeline.workflow.status import AccountStatus, AlertStatus, QuotaStatus, Status


def status(granted: int, **scans: int) -> Status:
    quota = QuotaStatus("exports per minute", 10, 60.0, granted, 0.0)
    account = AccountStatus(
        vendor="copyleaks",
        account="default",
        configured=True,
        wrong="",
        quotas=[quota],
        cooldown_seconds=0.0,
        cooldown_reason="",
        queued=0,
        queue_seconds=0.0,
        unordered=0,
        backlog_seconds=0.0,
        expiring=0,
    )
    return Status(
        scans=scans,
        orders={},
        accounts=[account],
        oldest_open_order=None,
        rejected_letters=0,
        unreported=0,
        sealed_files=6 * scans.get("archived", 0),
        sealed_bytes=1_000 * scans.get("archived", 0),
        damaged_bags=0,
        alerts=AlertStatus([], None, ""),
    )


def test_rates_are_what_changed_since_the_first_look() -> None:
    found = rates(status(7, archived=3, failed=2), status(17, archived=8, partial=1, failed=1), 30)
    assert (found.sealed, found.lost, found.sealed_files, found.sealed_bytes) == (6, -1, 30, 5_000)
    assert found.calls == [Calls("copyleaks", "default", "exports per minute", 10)]
    assert found.per_minute(found.sealed) == 12.0


def test_at_the_first_look_nothing_has_changed_and_no_rate_is_made_up() -> None:
    now = status(7, archived=3)
    found = rates(now, now, 0.0)
    assert (found.sealed, found.per_minute(5)) == (0, 0.0)


def test_an_account_that_was_not_there_at_first_counts_from_nothing() -> None:
    found = rates(replace(status(0), accounts=[]), status(4), 60.0)
    assert [one.granted for one in found.calls] == [4]
