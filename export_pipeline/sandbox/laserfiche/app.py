"""The HTTP API of Laserfiche, as far as exports and finding documents go."""

from export_pipeline.sandbox.laserfiche.entrance import Entrance
from export_pipeline.sandbox.laserfiche.entry_calls import EntryCalls
from export_pipeline.sandbox.laserfiche.export_calls import ExportCalls
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.login_calls import LoginCalls
from export_pipeline.sandbox.laserfiche.search_calls import SearchCalls
from export_pipeline.sandbox.laserfiche.task_calls import TaskCalls
from export_pipeline.sandbox.routing import Handler

REPOSITORY = "/v2/Repositories/{repository}"
ENTRY = f"{REPOSITORY}/Entries/{{entry}}"


def routes(vendor: Laserfiche) -> dict[str, Handler]:
    """The vendor's paths, below its base URL."""
    guard, logins = Entrance(vendor).guard, LoginCalls(vendor)
    entries, exports = EntryCalls(vendor), ExportCalls(vendor)
    tasks, searches = TaskCalls(vendor), SearchCalls(vendor)
    return {
        "POST /v1/Repositories/{repository}/Token": logins.self_hosted,
        "POST /oauth/Token": logins.cloud,
        "POST /oauth/token": logins.cloud,
        "GET /v2/Repositories": guard("repositories", entries.repositories),
        f"GET {REPOSITORY}/AuditReasons": guard("reasons", entries.reasons),
        f"GET {REPOSITORY}/Entries/ByPath": guard("entry", entries.by_path),
        f"GET {ENTRY}": guard("entry", entries.entry),
        f"GET {ENTRY}/Folder/Children": guard("children", entries.children),
        f"POST {ENTRY}/Export": guard("export", exports.at_once),
        f"POST {ENTRY}/ExportAsync": guard("start", exports.start),
        f"GET {REPOSITORY}/Tasks": guard("tasks", tasks.list_all, scoped=False),
        f"DELETE {REPOSITORY}/Tasks": guard("cancel", tasks.cancel, scoped=False),
        f"POST {REPOSITORY}/SimpleSearches": guard("search", searches.simple),
        f"POST {REPOSITORY}/Searches/SearchAsync": guard("search", searches.start),
        f"GET {REPOSITORY}/Searches/{{task}}/Results": guard("results", searches.results),
    }
