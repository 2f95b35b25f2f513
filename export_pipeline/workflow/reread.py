"""Verify a sealed scan again: what Materialize does to it instead of ordering."""

import asyncio

from export_pipeline.archive.layout import bag_prefix, seal_key
from export_pipeline.archive.verify import verify
from export_pipeline.ledger import artifacts, events
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, ArtifactState, Scan
from export_pipeline.workflow.pipeline import Pipeline

FILES_AT_ONCE = 16


async def reread(pipeline: Pipeline, scan: Scan) -> list[str]:
    """Read every file of the sealed bag against the ledger; return what is wrong, in words."""
    every = await pipeline.ledger.look(artifacts.of_generation, scan.id, scan.generation)
    gate = asyncio.Semaphore(FILES_AT_ONCE)

    async def look_at(artifact: Artifact) -> str:
        async with gate:
            verdict = await verify(
                pipeline.store,
                pipeline.key(scan, scan.generation, artifact.name),
                pipeline.kind(artifact.kind).opener,
                expected_size=artifact.size,
                expected_sha256=artifact.sha256,
            )
        return "" if verdict.passed else f"{artifact.name}: {verdict.reason}"

    kept = [one for one in every if one.state == ArtifactState.VERIFIED]
    problems = [text for text in await asyncio.gather(*map(look_at, kept)) if text]
    seal = seal_key(bag_prefix(scan.key, scan.generation))
    if await pipeline.store.stat(seal) is None:
        problems.append(f"the seal {seal} is gone")
    await pipeline.ledger.apply(_record, scan, problems)
    return problems


def _record(tx: Tx, scan: Scan, problems: list[str]) -> None:
    events.record(tx, scan.id, "verified again", passed=not problems, problems=problems[:20])
