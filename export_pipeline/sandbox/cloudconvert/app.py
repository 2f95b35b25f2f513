"""The HTTP API of CloudConvert, on the host that answers at once and on the one that waits."""

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.entrance import Asked, Entrance
from export_pipeline.sandbox.cloudconvert.job_calls import JobCalls
from export_pipeline.sandbox.cloudconvert.operations import OPERATIONS
from export_pipeline.sandbox.cloudconvert.task_calls import TaskCalls
from export_pipeline.sandbox.cloudconvert.webhook_calls import WebhookCalls
from export_pipeline.sandbox.routing import Handler

CREDITS = 4434
ACCOUNT_CREATED = "2018-12-01T22:26:29+00:00"


class App:
    """The routes of both hosts, behind one entrance."""

    def __init__(self, vendor: CloudConvert) -> None:
        self._vendor = vendor
        self.entrance = Entrance(
            vendor.clock, vendor.faults, vendor.stats.calls, lambda: vendor.options
        )

    def routes(self, *, waits: bool) -> dict[str, Handler]:
        """The paths of a host; with `waits` answers come when job or task is over."""
        guard, get = self.entrance.guard, "wait" if waits else "get"
        jobs, tasks = JobCalls(self._vendor, waits=waits), TaskCalls(self._vendor, waits=waits)
        webhooks = WebhookCalls(self._vendor)
        single_tasks = {
            f"POST /v2/{operation}": guard("create", "task.write", tasks.create(operation))
            for operation in OPERATIONS
        }
        return {
            "POST /v2/jobs": guard("create", "task.write", jobs.create),
            "GET /v2/jobs": guard("list", "task.read", jobs.list_all),
            "GET /v2/jobs/{id}": guard(get, "task.read", jobs.get),
            "DELETE /v2/jobs/{id}": guard("delete", "task.write", jobs.delete),
            "GET /v2/tasks": guard("list", "task.read", tasks.list_all),
            "GET /v2/tasks/{id}": guard(get, "task.read", tasks.get),
            "DELETE /v2/tasks/{id}": guard("delete", "task.write", tasks.delete),
            "POST /v2/tasks/{id}/cancel": guard("cancel", "task.write", tasks.cancel),
            "POST /v2/tasks/{id}/retry": guard("retry", "task.write", tasks.retry),
            "GET /v2/users/me": guard("user", "user.read", self.user),
            "GET /v2/users/me/webhooks": guard("webhooks", "webhook.read", webhooks.list_all),
            "GET /v2/webhooks": guard("webhooks", "webhook.read", webhooks.list_all),
            "POST /v2/webhooks": guard("webhooks", "webhook.write", webhooks.create),
            "DELETE /v2/webhooks/{id}": guard("webhooks", "webhook.write", webhooks.delete),
            **single_tasks,
        }

    async def user(self, asked: Asked) -> Response:
        """Whose key it is (FACTS 4.8)."""
        told = {
            "id": asked.account,
            "username": "sandbox",
            "email": "sandbox@example.com",
            "created_at": ACCOUNT_CREATED,
            "credits": CREDITS,
            "links": {"self": f"{self._vendor.base}/v2/users/{asked.account}"},
        }
        return JSONResponse({"data": told})
