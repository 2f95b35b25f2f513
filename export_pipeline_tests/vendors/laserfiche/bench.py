"""Laserfiche connected to its sandbox, with a ledger of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import sqlalchemy as sa

from export_pipeline.ledger import tokens
from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.ledger.schema import quotas
from export_pipeline.sandbox import Sandbox
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.laserfiche.login import credential
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.bench import NOWHERE, SandboxBench
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche.judged import judged

MISSING = "999999"
LARGE = 60
"""Pages: so many are exported as a task."""


def environment(sandbox: Sandbox) -> dict[str, str]:
    addresses = sandbox.addresses
    return {
        "EXPORT_LASERFICHE_URL": addresses["laserfiche"],
        "EXPORT_LASERFICHE_REPOSITORY": addresses["laserfiche_repository"],
        "EXPORT_LASERFICHE_USERNAME": addresses["laserfiche_username"],
        "EXPORT_LASERFICHE_PASSWORD": addresses["laserfiche_password"],
        "EXPORT_LASERFICHE_EXPORTS_PER_MINUTE": "12000",
        "EXPORT_LASERFICHE_CALLS_PER_MINUTE": "60000",
    }


class LaserficheBench(SandboxBench[Laserfiche]):
    scans = ("101", "102")
    make = Laserfiche
    environment = environment
    login_path = "/Token"

    @property
    def token(self) -> str | None:
        """The account's login token, as the ledger has it."""
        sealed = credential(self.vendor.client("default").api.account)
        with self.ledger.read() as tx:
            return tokens.load(tx, "laserfiche", "default", sealed, 0)

    @property
    def secrets(self) -> Sequence[str]:
        password = str(self.addresses["laserfiche_password"])
        return (password, "?sig=", *([self.token] if self.token else []))

    def placement(
        self,
        scan_id: str = scans[0],
        *,
        at_vendor: bool = True,
        part: str = "Image",
        spec: EntrySpec | None = None,
        **details: Any,
    ) -> Placement:
        """The order of one part of a document, made at the vendor: a large one if none is given.

        A small one is exported in no time, as nobody moves the clock while the call waits.
        """
        if at_vendor:
            made = replace(spec or EntrySpec("Plans", pages=LARGE), id=int(scan_id))
            is_small = made.pages < LARGE and made.work_seconds is None
            self.add(replace(made, work_seconds=0) if is_small else made)
        scan = rows.scan("laserfiche", scan_id, **{"parts": [part], **details})
        (planned,) = self.vendor.plan(scan)
        return Placement(
            rows.order("laserfiche", scan_id),
            scan,
            {},
            {planned.name: planned.vendor_name},
            {planned.name: planned.kind},
            NOWHERE,
        )

    def small(self, part: str = "Image", **details: Any) -> Placement:
        """The order of one part of a document of one page."""
        return self.placement(part=part, spec=EntrySpec("Invoice", pages=1), **details)

    def lacking(self) -> Placement:
        return self.placement(MISSING, at_vendor=False)

    def failing(self) -> Placement:
        return self.placement(spec=EntrySpec("x", pages=LARGE, traits=("refused",)))

    def unending(self) -> Placement:
        return self.placement("103", spec=EntrySpec("x", pages=LARGE, traits=("never_ends_first",)))

    def arrived(self) -> list[tuple[str, str]]:
        return [(str(one["entry"]), one["task"]) for one in self.stats()["orders"]]

    def end(self) -> None:
        self.clock.advance(5)

    def expire(self) -> None:
        self.control("POST", "/expire", ["tasks", "links"])

    def refuse_tokens(self) -> None:
        self.control("POST", "/expire", ["tokens"])

    def forget_quotas(self) -> None:
        with self.ledger.write() as tx:
            tx.run(sa.delete(quotas))

    def logins(self) -> int:
        return int(self.stats()["logins"])

    def break_file(self) -> None:
        self.faults(file=["cut"])

    def kill_links(self) -> None:
        self.control("POST", "/expire", ["links"])

    def whole_file(self, order: Order, _: Artifact) -> bytes:
        (task,) = self.call("GET", f"/Tasks?taskIds={order.vendor_order}").json()["value"]
        return self.download(task["result"]["uri"])

    def _http(self) -> httpx.AsyncClient:
        return judged(super()._http(), str(self.addresses["laserfiche"]))

    def add(self, *specs: EntrySpec) -> list[str]:
        """Put entries into the repository; their ids."""
        body = [spec.to_json() for spec in specs]
        return [str(number) for number in self.control("POST", "/entries", body).json()["ids"]]

    def start(self, entry: str) -> str:
        """A task of the same token that the vendor's client knows nothing of."""
        answer = self.call("POST", f"/Entries/{entry}/ExportAsync", {"part": "Image"})
        return str(answer.json()["taskId"])

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call to the repository with the token that the vendor's client has."""
        addresses = self.addresses
        url = f"{addresses['laserfiche']}/v2/Repositories/{addresses['laserfiche_repository']}"
        return self.request(method, url + path, self.token or "", body)


def sent(bench: LaserficheBench, placement: Placement) -> Receipt:
    (receipt,) = place(bench, placement)
    return receipt
