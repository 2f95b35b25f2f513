"""Deleting a scan's exports at HookBridge, where it is to be forgotten there too."""

import asyncio
from dataclasses import replace

from export_pipeline_tests.vendors.hookbridge.bench import HookBridgeBench
from export_pipeline_tests.vendors.rows import order, scan


def erase(bench: HookBridgeBench, scan_id: str, *made: str) -> None:
    orders = [replace(order("hookbridge", one), vendor_order=one) for one in made]

    async def scenario() -> None:
        try:
            await bench.vendor.erase(scan("hookbridge", scan_id), orders)
        finally:
            await bench.close()

    asyncio.run(scenario())


def test_what_its_orders_made_is_deleted_once(bench: HookBridgeBench) -> None:
    made = [bench.made(), bench.made()]
    erase(bench, "2026-11-21", *made, made[0])
    assert bench.stats()["deleted"] == made


def test_an_export_that_the_scan_names_is_deleted_though_nobody_ordered_it(
    bench: HookBridgeBench,
) -> None:
    named, other = bench.made(), bench.made()
    erase(bench, named)
    erase(bench, named)
    assert bench.stats()["deleted"] == [named]
    assert bench.call("GET", f"/v1/exports/{other}").status_code == 200
