"""`plan`: what would be ordered."""

from typing import Annotated, Any

import typer

from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import duration, emit, plural, say, show_table
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.workflow.forecast import seconds_for, seconds_per_call
from export_pipeline.workflow.plan import Plan, plan_all

EPILOG = examples("export-pipeline plan", "export-pipeline plan --limit 500 --json")
_HEADERS = {
    Availability.EXPECTED: "to order",
    Availability.UNKNOWN: "to ask for",
    Availability.ABSENT: "absent",
    Availability.MISSING: "cannot be ordered",
}


def plan(
    *,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only the first N scans.  [default: all]"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell what would be ordered for registered and failed scans; nothing is sent or written.

    Per account: how many scans, how many artifacts of each kind (to order; to ask for, since the
    scan may not have them; absent; those that cannot be ordered, such as results without their
    ids), how many export calls, and how long those take at the quota.
    """
    with open_home(home) as there:
        found = plan_all(there.ledger, there.vendors, limit)
        reports = [
            _report(there, vendor, account, one) for (vendor, account), one in sorted(found.items())
        ]
    if as_json:
        emit({"accounts": reports})
        return
    if not reports:
        say("nothing to order: no scan is registered or failed")
    for report in reports:
        _show(report)


def _report(home: OpenHome, vendor: str, account: str, plan: Plan) -> dict[str, Any]:
    per_call = seconds_per_call(home.vendors[vendor].quotas(account))
    kinds = [kind.name for kind in home.vendors[vendor].kinds]
    return {
        "vendor": vendor,
        "account": account,
        "scans": plan.scans,
        "nothing_to_order": plan.empty,
        "calls": plan.calls,
        "seconds": seconds_for(plan.calls, per_call),
        "artifacts": {
            kind: {word.value: plan.kinds[kind, word] for word in Availability} for kind in kinds
        },
    }


def _show(report: dict[str, Any]) -> None:
    title = (
        f"{report['vendor']} account {report['account']}: {plural(report['scans'], 'scan')},"
        f" {plural(report['calls'], 'export call')}, {duration(report['seconds'])} at the quota"
    )
    rows = [
        (kind, *(f"{counts[word.value]:,}" for word in _HEADERS))
        for kind, counts in report["artifacts"].items()
    ]
    show_table(title, ("artifacts", *_HEADERS.values()), rows)
    if report["nothing_to_order"]:
        say(f"{plural(report['nothing_to_order'], 'scan')} with nothing to order")
