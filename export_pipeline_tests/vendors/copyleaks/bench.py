"""Copyleaks connected to its sandbox, with a ledger of its own."""

import os
from collections.abc import Sequence

import sqlalchemy as sa

from export_pipeline.ledger import tokens
from export_pipeline.ledger.rows import Order, Scan
from export_pipeline.ledger.schema import quotas
from export_pipeline.sandbox import Sandbox, ScanSpec
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.placement import Placement
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.bench import SandboxBench

BEYOND_A_TOKEN_SECONDS = 49 * 3600
UPLOAD = "upload-token-5b1e"
SIGNATURE = "signature-77aa31"
HEADER = "header-secret-c0ffee"


def environment(sandbox: Sandbox) -> dict[str, str]:
    addresses = sandbox.addresses
    return {
        "EXPORT_COPYLEAKS_API_URL": addresses["copyleaks_api"],
        "EXPORT_COPYLEAKS_LOGIN_URL": addresses["copyleaks_identity"],
        "EXPORT_COPYLEAKS_EMAIL": addresses["copyleaks_email"],
        "EXPORT_COPYLEAKS_KEY": addresses["copyleaks_key"],
        "EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": "6000",
        "EXPORT_COPYLEAKS_REQUESTS_PER_SECOND": "2000",
    }


def scan(scan_id: str, **details: object) -> Scan:
    return rows.scan("copyleaks", scan_id, **details)


def order(scan_id: str) -> Order:
    return rows.order("copyleaks", scan_id)


def target(name: str) -> UploadTarget:
    # Port 9 discards: no artifact ever has to arrive in these tests.
    url = f"http://127.0.0.1:9/uploads/{name}/{UPLOAD}?sig={SIGNATURE}"
    return UploadTarget("PUT", url, (("X-Export-Key", HEADER),))


class CopyleaksBench(SandboxBench[Copyleaks]):
    make = Copyleaks
    environment = environment
    login_path = "/account/login/api"
    scans = ("essay-1", "essay-2")

    @property
    def secrets(self) -> Sequence[str]:
        variables = self.settings.vendor_variables
        email, key = (variables[f"EXPORT_COPYLEAKS_{part}"] for part in ("EMAIL", "KEY"))
        with self.ledger.read() as tx:
            token = tokens.load(tx, "copyleaks", "default", f"{email}\0{key}", 0)
        return (key, UPLOAD, SIGNATURE, HEADER, *([token] if token else []))

    def placement(
        self,
        scan_id: str = "essay-1",
        *,
        at_vendor: bool = True,
        kinds: Sequence[str] = ("crawled_version", "pdf_report"),
    ) -> Placement:
        if at_vendor:
            self.add(ScanSpec(scan_id))
        names = {f"{kind}.file": kind for kind in kinds}
        return Placement(
            order(scan_id),
            scan(scan_id),
            {name: target(name) for name in names},
            dict.fromkeys(names, ""),
            names,
            target("completed"),
        )

    def lacking(self) -> Placement:
        return self.placement("deleted", at_vendor=False)

    def add(self, spec: ScanSpec) -> None:
        self.control("POST", "/scans", [spec.to_json()])

    def arrived(self) -> list[tuple[str, str]]:
        return [(order["scan"], order["export"]) for order in self.stats()["orders"]]

    def refuse_tokens(self) -> None:
        self.clock.advance(BEYOND_A_TOKEN_SECONDS)

    def forget_quotas(self) -> None:
        with self.ledger.write() as tx:
            tx.run(sa.delete(quotas))

    def logins(self) -> int:
        return int(self.stats()["logins"])

    def process_environment(self) -> dict[str, str]:
        home = {"EXPORT_PIPELINE_HOME": str(self.folder)}
        return {**os.environ, **environment(self.sandbox), **home}
