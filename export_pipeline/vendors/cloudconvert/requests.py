"""The body of the call that makes a job."""

import json
from collections.abc import Mapping
from typing import Any

from export_pipeline.vendors.cloudconvert.delivery import NamedExport
from export_pipeline.vendors.cloudconvert.tags import tag_of


def job_body(
    order_id: str,
    exported: NamedExport,
    webhook_url: str | None,
    before: Mapping[str, Mapping[str, Any]],
) -> bytes:
    """The job of an order.

    Args:
        order_id: told by its tag, by which it is known again.
        exported: its last task.
        webhook_url: where its end is told, None for nowhere.
        before: tasks by name that make what is exported.
    """
    tasks = {**before, exported.name: exported.export.to_task()}
    hook = {"webhook_url": webhook_url} if webhook_url else {}
    return json.dumps({"tasks": tasks, "tag": tag_of(order_id), **hook}).encode()
