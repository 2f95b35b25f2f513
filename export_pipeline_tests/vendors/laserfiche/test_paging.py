"""Listings page by page: where a next page may lie, and what comes between two."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.errors import VendorError
from export_pipeline.sandbox import RealClock, Sandbox, SandboxOptions
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.vendors.laserfiche.answers import EntryPage
from export_pipeline.vendors.laserfiche.api import origin
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench
from export_pipeline_tests.vendors.transport import Planned, answer

OWN = "https://lf.example.com/LFRepositoryAPI"
FOLDER = 50
ENTRIES = 400


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LaserficheBench]:
    clock = RealClock()
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))
    with Sandbox(options, clock) as sandbox, LaserficheBench(tmp_path, sandbox, clock) as found:
        found.add(EntrySpec("In", id=FOLDER, type="Folder"))
        found.add(*(EntrySpec(f"Doc {one}", parent=FOLDER) for one in range(ENTRIES)))
        yield found


def read(bench: LaserficheBench, *, between: tuple[str, ...] = ()) -> list[int]:
    """Every id of the folder; after its first page the login tokens may end."""

    async def scenario() -> list[int]:
        api = bench.vendor.client("default").api
        url = f"{api.repository_url}/Entries/{FOLDER}/Folder/Children"
        found: list[int] = []
        try:
            async for page in api.pages(api.call("the listing"), EntryPage, url):
                found += [one.id for one in page.value]
                if between:
                    bench.control("POST", "/expire", list(between))
        finally:
            await bench.close()
        return found

    return asyncio.run(scenario())


def leading(link: str) -> Planned:
    return answer(200, text=json.dumps({"value": [], "@odata.nextLink": link}))


def test_every_page_is_read_once(bench: LaserficheBench) -> None:
    found = read(bench)
    assert len(found) == len(set(found)) == ENTRIES


def test_a_token_that_ends_between_two_pages_is_renewed(bench: LaserficheBench) -> None:
    assert len(set(read(bench, between=("tokens",)))) == ENTRIES
    assert bench.logins() == 3


def test_a_next_page_may_be_told_by_its_path_alone_and_a_page_may_be_empty(
    bench: LaserficheBench,
) -> None:
    place(bench, bench.placement("901"))
    base = str(bench.addresses["laserfiche"])
    path = bench.vendor.client("default").api.repository_url.removeprefix(base.rpartition("/")[0])
    bench.planned.append(leading(f"{path}/Entries/{FOLDER}/Folder/Children?$skip=300"))
    assert len(read(bench)) == ENTRIES - 300


def test_no_token_goes_to_another_origin(bench: LaserficheBench) -> None:
    bench.faults(children=["foreign"])
    with pytest.raises(VendorError, match=r"elsewhere\.invalid, which is not the API's own"):
        read(bench)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("//elsewhere.invalid/x", r"elsewhere\.invalid, which is not the API's own"),
        ("http://[::1/x", "no address, which is not the API's own"),
        ("javascript:x", "no address, which is not the API's own"),
    ],
)
def test_a_next_page_that_lies_elsewhere_or_nowhere_is_not_followed(
    bench: LaserficheBench, link: str, said: str
) -> None:
    place(bench, bench.placement("901"))
    bench.planned.append(leading(link))
    with pytest.raises(VendorError, match=said):
        read(bench)


def test_a_next_page_that_is_the_same_page_is_not_read_for_ever(bench: LaserficheBench) -> None:
    place(bench, bench.placement("901"))
    url = f"{bench.vendor.client('default').api.repository_url}/Entries/{FOLDER}/Folder/Children"
    bench.planned.append(leading(url))
    with pytest.raises(VendorError, match="the next page is the same page"):
        read(bench)


@pytest.mark.parametrize(
    ("url", "is_same"),
    [
        ("https://lf.example.com/x", True),
        ("https://LF.example.com:443/x", True),
        ("http://lf.example.com/x", False),
        ("https://lf.example.com:8443/x", False),
        ("https://lf.example.com.evil.com/x", False),
        ("https://lf.example.com@evil.com/x", False),
        ("//evil.com/x", False),
        ("https://lf.example.com:x/", False),
        ("", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, is_same: bool) -> None:
    assert (origin(url) == origin(OWN)) is is_same
