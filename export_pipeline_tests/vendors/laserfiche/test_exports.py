import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from export_pipeline.errors import AuthenticationFailed, BadInput, ConfigError, ResultLost
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline.settings import Settings
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche import pulling_process
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench
from export_pipeline_tests.vendors.pulled import artifacts, placed, pull, ready
from export_pipeline_tests.vendors.transport import answer

HOSTILE_NAME = 'a/../b%2f;:"<x>\u202e..'


def checked(bench: LaserficheBench) -> str:
    async def scenario() -> str:
        try:
            return await bench.vendor.check("default")
        finally:
            await bench.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize("pages", [1, 60])
def test_a_file_has_the_vendors_own_name_made_safe(bench: LaserficheBench, pages: int) -> None:
    placement = bench.placement(spec=EntrySpec(HOSTILE_NAME, pages=pages))
    order = placed(bench, placement)
    bench.end()
    asyncio.run(_ask(bench, order))
    read = pull(bench, order, artifacts(bench, placement)[0])
    assert read.opened.vendor_name == "b%2f;___x_...tiff"
    assert read.opened.details == {"content_type": "image/tiff"}


async def _ask(bench: LaserficheBench, order: object) -> None:
    await bench.vendor.ask("default", [order])  # type: ignore[list-item]
    await bench.close()


def test_no_credential_reaches_the_file_host(bench: LaserficheBench) -> None:
    order, file = ready(bench)
    pull(bench, order, file)
    assert bench.stats()["credentials_at_files"] == 0


def test_another_process_pulls_what_this_one_ordered(bench: LaserficheBench) -> None:
    placement = bench.placement(spec=EntrySpec("x", pages=1))
    place(bench, placement)
    file = artifacts(bench, placement)[0]
    command = [sys.executable, "-m", pulling_process.__name__, str(bench.settings.home)]
    done = subprocess.run(
        [*command, placement.order.id, file.name],
        env=dict(bench.settings.vendor_variables),
        capture_output=True,
        check=True,
    )
    assert done.stdout == pull(bench, placement.order, file).body


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_that_died_is_a_lost_result(bench: LaserficheBench, status: int) -> None:
    bench.options(dead_link=status)
    order, file = ready(bench)
    bench.kill_links()
    with pytest.raises(ResultLost, match="it is ordered again by itself"):
        pull(bench, order, file)


def test_a_link_that_another_credential_sealed_is_a_lost_result(bench: LaserficheBench) -> None:
    order, file = ready(bench)
    bench.vendor = bench.make_vendor(EXPORT_LASERFICHE_PASSWORD="changed-since")
    with pytest.raises(ResultLost):
        pull(bench, order, file)


def test_an_order_of_which_no_link_is_kept_is_lost(bench: LaserficheBench) -> None:
    order, file = ready(bench)
    with pytest.raises(ResultLost):
        pull(bench, replace(order, id="another"), file)


def test_a_host_without_ranges_gives_the_file_from_its_start(bench: LaserficheBench) -> None:
    bench.options(ranges=False)
    order, file = ready(bench)
    bench.break_file()
    assert pull(bench, order, file).body == bench.whole_file(order, file)


def test_a_check_says_until_when_the_login_holds_and_that_the_repository_is_there(
    bench: LaserficheBench,
) -> None:
    said = checked(bench)
    assert said.startswith("logged in, the token lives until 20")
    assert bench.sandbox.addresses["laserfiche_repository"] in said
    assert bench.logins() == 1


def test_a_check_finds_a_service_app_too(bench: LaserficheBench) -> None:
    addresses = bench.sandbox.addresses
    bench.vendor = bench.make_vendor(
        EXPORT_LASERFICHE_USERNAME="",
        EXPORT_LASERFICHE_PASSWORD="",
        EXPORT_LASERFICHE_ACCESS_KEY=addresses["laserfiche_access_key"],
        EXPORT_LASERFICHE_SERVICE_KEY="a-service-key-9431",
        EXPORT_LASERFICHE_TOKEN_URL=addresses["laserfiche_token_url"],
    )
    assert checked(bench).startswith("logged in")
    (receipt,) = place(bench, bench.placement())
    assert receipt.vendor_order
    assert bench.logins() == 1


def test_a_check_of_a_repository_that_is_not_there_names_the_variable(
    bench: LaserficheBench,
) -> None:
    bench.planned.append(answer(200, text='{"value": []}'))
    with pytest.raises(ConfigError, match=r"^EXPORT_LASERFICHE_REPOSITORY: .* it sees none"):
        checked(bench)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("PASSWORD", "wrong-password", "EXPORT_LASERFICHE_PASSWORD"),
        ("REPOSITORY", "r-other", "EXPORT_LASERFICHE_REPOSITORY"),
        ("URL", "{}/x", "EXPORT_LASERFICHE_URL"),
    ],
)
def test_a_check_whose_login_is_refused_names_what_may_be_wrong(
    bench: LaserficheBench, variable: str, value: str, named: str
) -> None:
    set_wrongly = value.format(bench.addresses["laserfiche"])
    bench.vendor = bench.make_vendor(**{f"EXPORT_LASERFICHE_{variable}": set_wrongly})
    with pytest.raises(AuthenticationFailed, match=f"correct .*{named}"):
        checked(bench)


def test_a_check_whose_app_is_refused_names_its_keys(bench: LaserficheBench) -> None:
    bench.vendor = bench.make_vendor(
        EXPORT_LASERFICHE_USERNAME="",
        EXPORT_LASERFICHE_PASSWORD="",
        EXPORT_LASERFICHE_ACCESS_KEY=bench.addresses["laserfiche_access_key"],
        EXPORT_LASERFICHE_SERVICE_KEY="a-service-key-9431",
        EXPORT_LASERFICHE_TOKEN_URL=bench.addresses["laserfiche_token_url"],
    )
    bench.planned_logins.append(answer(401))
    with pytest.raises(AuthenticationFailed, match=r"correct EXPORT_LASERFICHE_ACCESS_KEY and EXP"):
        checked(bench)


def test_a_login_beforehand_costs_no_turn(bench: LaserficheBench) -> None:
    async def scenario() -> None:
        await bench.vendor.prepare("default")
        await bench.vendor.prepare("default")
        await bench.vendor.place(bench.placement())
        await bench.close()

    asyncio.run(scenario())
    assert bench.logins() == 1


def test_a_token_that_another_process_renewed_is_taken_over(bench: LaserficheBench) -> None:
    """A process does not ask the ledger at each call: it finds out by the vendor's refusal."""
    first, second, third = (bench.placement(scan) for scan in ("101", "102", "103"))
    mine, other = bench.vendor, bench.make_vendor()
    place(bench, first)
    bench.refuse_tokens()
    bench.vendor = other
    place(bench, second)
    bench.vendor = mine
    place(bench, third)
    assert bench.logins() == 2
    assert [scan for scan, _ in bench.arrived()] == ["101", "102", "103"]


def test_an_account_without_credentials_says_what_to_set(tmp_path: Path) -> None:
    vendor = Laserfiche(Settings.from_env({}, tmp_path), Ledger(sqlite_url(tmp_path)))
    assert list(vendor.accounts) == []
    with pytest.raises(ConfigError, match="_ACCESS_KEY and _SERVICE_KEY"):
        vendor.require("default")


def test_there_are_no_webhooks(bench: LaserficheBench) -> None:
    with pytest.raises(BadInput, match="sends no webhooks"):
        bench.vendor.read_registration("completed", b"{}")
    with pytest.raises(BadInput, match="sends no webhooks"):
        bench.vendor.read_completion(b"{}", {})


def test_one_vendor_serves_one_event_loop_after_another(bench: LaserficheBench) -> None:
    assert checked(bench) == checked(bench)
