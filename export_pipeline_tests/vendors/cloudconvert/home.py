"""A home of CloudConvert: the bench with a store, a receiver, and the workflow's verbs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from export_pipeline.ledger import artifacts, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, QueueClass, Scan
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.sandbox.pdf import pdf
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.cloudconvert.details import Kind, ScanDetails, Source
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.cloudconvert.importing import read_line
from export_pipeline.vendors.cloudconvert.tags import is_ours
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.register import queue_registered, read_registrations
from export_pipeline_tests.servers.receiver import SECRET, running
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.web_store import WebStore, web_store
from export_pipeline_tests.vendors.home import Home

BAG = "copyleaks/default/essay/1/"
REPORT = f"{BAG}data/pdf_report.pdf"
PDF = pdf(3)
CONVERSION = 'essay/../a%2f;:"<x>.pdfa'


class CloudConvertHome(CloudConvertBench, Home[CloudConvert]):
    """The bench with a store that signs, and a receiver."""

    read_line = read_line
    store: WebStore

    @contextmanager
    def receiving(self, **variables: str) -> Iterator[str]:
        """Run the receiver, and name its address to the vendor."""
        signed = {"cloudconvert": self.vendor.signed}
        with running(build(self.ledger, self.store, Addresses("", (SECRET,)), signed)) as url:
            self.receiver = url
            self.settings = self.settings.model_copy(update={"receiver_url": url})
            self.vendor = self.make_vendor(EXPORT_CLOUDCONVERT_JOB_WEBHOOKS="true", **variables)
            yield url

    def conversion(self, content: bytes = PDF, **changes: Any) -> Scan:
        """The order of a conversion of an archived report; `changes` are of its source."""
        report = self.folder / "archive" / REPORT
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(content)
        digest = sha256(content).hexdigest()
        told = {"bag": BAG, "key": REPORT, "sha256": digest, "size": len(content)}
        told |= {"vendor": "copyleaks", "account": "default", "scan": "essay", **changes}
        details = ScanDetails(kind=Kind.CONVERSION, source=Source.model_validate(told))
        with self.ledger.write() as tx:
            key = ScanKey("cloudconvert", "default", CONVERSION)
            registry.register(tx, key, source="test", details=details.to_json())
            (scan,) = queue_registered(tx, self.vendor, QueueClass.NIGHTLY, 9)
        return scan

    def run(self, work: Callable[[Pipeline], Awaitable[Any]]) -> None:
        async def closing() -> None:
            await work(self.pipeline)
            await self.close()

        asyncio.run(closing())

    def read_letters(self) -> list[Scan]:
        with self.ledger.write() as tx:
            return read_registrations(tx, self.vendor, self.settings, 100)

    def files(self, scan: Scan) -> dict[str, Artifact]:
        def read(tx: Tx) -> list[Artifact]:
            return artifacts.of_generation(tx, scan.id, self.scan(scan).generation)

        return {one.name: one for one in self.look(read)}

    def payload(self, scan: Scan) -> dict[str, bytes]:
        """The files in a scan's bag."""
        root = self.bag(scan) / "data"
        found = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    def provenance(self, scan: Scan) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.bag(scan) / "provenance.json").read_text())
        return record

    def operations(self) -> list[str]:
        """What exported, of the jobs and single tasks of ours, in turn."""
        return [one for made in self.ours() for one in self._operations(made)]

    def _operations(self, made: dict[str, Any]) -> list[str]:
        if "operation" in made:
            return [made["operation"]]
        job = self.call("GET", f"/v2/jobs/{made['id']}").json()["data"]
        told = [task["operation"] for task in job["tasks"]]
        return [one for one in told if one.startswith("export/")]

    def ours(self) -> list[dict[str, Any]]:
        """Each job and each single task that orders made."""
        made = self.stats()["created"]
        return [one for one in made if "operation" in one or is_ours(one["tag"])]


@contextmanager
def home_of(folder: Path, **options: Any) -> Iterator[CloudConvertHome]:
    chosen = SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast", **options))
    with (
        web_store(folder / "archive") as store,
        connected(CloudConvertHome, folder, chosen) as made,
    ):
        made.store = store
        yield made
