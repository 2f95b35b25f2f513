"""Reading what the repository has (FACTS 2.6 and 2.7)."""

from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.entrance import Asked
from export_pipeline.sandbox.laserfiche.entries import FOLDER
from export_pipeline.sandbox.laserfiche.errors import invalid, not_found
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.reasons import REASONS
from export_pipeline.sandbox.laserfiche.telling import listed


class EntryCalls:
    """Tells of the repository, its audit reasons and its entries."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    async def repositories(self, _: Asked) -> Response:
        """The one there is."""
        name = self._vendor.options.repository
        url = f"{self._vendor.base}/client/{quote(name)}"
        one = {"id": name, "name": "Sandbox", "webClientUrl": url}
        return JSONResponse({"@odata.context": "$metadata#Repositories", "value": [one]})

    async def reasons(self, asked: Asked) -> Response:
        """Audit reasons."""
        return listed(self._vendor, asked, REASONS, "AuditReasons")

    async def entry(self, asked: Asked) -> Response:
        """One entry, with what its type has."""
        entries = self._vendor.entries
        told = entries.told(entries.get(asked.params["entry"]))
        return JSONResponse({"@odata.context": f"{asked.context}/entries", **told})

    async def by_path(self, asked: Asked) -> Response:
        """One entry by its full path, or the nearest that there is."""
        entries = self._vendor.entries
        path = asked.request.query_params.get("fullPath", "")
        found, ancestor = entries.by_path(path), None
        falls_back = asked.request.query_params.get("fallbackToClosestAncestor", "") == "true"
        while found is None and ancestor is None and falls_back and path.strip("\\"):
            path = path.rstrip("\\").rpartition("\\")[0]
            ancestor = entries.by_path(path)
        if found is None and ancestor is None:
            raise not_found("Entry path was not found.")
        told = {"entry": found, "ancestorEntry": ancestor}
        shown = {name: one and entries.told(one) for name, one in told.items()}
        return JSONResponse({"@odata.context": "$metadata#EntryByPath", **shown})

    async def children(self, asked: Asked) -> Response:
        """What lies in a folder."""
        entries = self._vendor.entries
        folder = entries.get(asked.params["entry"])
        if folder.spec.type != FOLDER:
            raise invalid("The entry is not a folder.")
        rows = [entries.listed(one) for one in entries.children(folder.id)]
        return listed(self._vendor, asked, rows, f"Entries/{folder.id}/Folder/Children")
