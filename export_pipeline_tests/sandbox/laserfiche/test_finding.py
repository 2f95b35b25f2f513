import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.laserfiche.conftest import StartApi

DAY = 86_400
START = 1_700_000_000  # 2023-11-14T22:13:20Z


@pytest.fixture
def tree(start_api: StartApi, clock: SteppedClock) -> Api:
    """A folder of five documents, each modified a day after the one before, and one elsewhere."""
    api = start_api(clock)
    api.add(EntrySpec("In", id=50, type="Folder"), EntrySpec("Other", id=51, type="Folder"))
    specs = [
        EntrySpec(f"Doc {number}", id=60 + number, parent=50, modified=START + number * DAY)
        for number in range(5)
    ]
    api.add(*specs, EntrySpec("Elsewhere", id=70, parent=51, modified=START))
    return api


def ids(found: dict[str, object]) -> list[int]:
    return [one["id"] for one in found["value"]]  # type: ignore[attr-defined]


def found_by(api: Api, command: str) -> list[int]:
    answer = api.call("POST", "/SimpleSearches", {"searchCommand": command})
    assert answer.status_code == 200, answer.text
    return ids(answer.json())


def test_an_entry_tells_its_pages_and_a_listing_does_not(api: Api) -> None:
    (entry,) = api.add(EntrySpec("x", pages=3, extension="pdf", edoc_bytes=5_000, parent=2))
    alone = api.call("GET", f"/Entries/{entry}").json()
    assert (alone["pageCount"], alone["extension"]) == (3, "pdf")
    assert (alone["electronicDocumentSize"], alone["fullPath"]) == (5_000, "\\Examples\\x")
    rows = api.call("GET", "/Entries/2/Folder/Children").json()["value"]
    (listed,) = [one for one in rows if one["id"] == int(entry)]
    assert "pageCount" not in listed
    assert listed["entryType"] == "Document"


def test_an_entry_is_found_by_its_path_or_its_nearest_ancestor(tree: Api) -> None:
    path = "fullPath=%5CIn%5CDoc%201"
    assert tree.call("GET", f"/Entries/ByPath?{path}").json()["entry"]["id"] == 61
    lost = "fullPath=%5CIn%5CNo%5CSuch"
    assert tree.call("GET", f"/Entries/ByPath?{lost}").status_code == 404
    told = tree.call("GET", f"/Entries/ByPath?{lost}&fallbackToClosestAncestor=true").json()
    assert (told["entry"], told["ancestorEntry"]["id"]) == (None, 50)


@pytest.mark.parametrize("entry", ["999", "0", "x", "..", "a%2Fb", "99999999999"])
def test_an_entry_that_is_not_there_is_a_404(tree: Api, entry: str) -> None:
    assert tree.call("GET", f"/Entries/{entry}").status_code == 404


def test_a_folder_is_told_page_by_page(tree: Api) -> None:
    path = "/Entries/50/Folder/Children?%24orderby=lastModifiedTime%20desc&%24count=true"
    seen, link = [], path
    while link:
        told = tree.call("GET", link, headers={"Prefer": "odata.maxpagesize=2"}).json()
        assert told["@odata.count"] == 5
        seen.append(ids(told))
        link = told.get("@odata.nextLink")
    assert seen == [[64, 63], [62, 61], [60]]


def test_the_official_clients_way_to_ask_for_pages_works_too(tree: Api) -> None:
    told = tree.call("GET", "/Entries/50/Folder/Children", headers={"Prefer": "maxpagesize=4"})
    assert len(told.json()["value"]) == 4


def test_options_of_a_listing(tree: Api) -> None:
    path = "/Entries/50/Folder/Children"
    assert ids(tree.call("GET", f"{path}?%24skip=3").json()) == [63, 64]
    assert ids(tree.call("GET", f"{path}?%24top=1&%24orderby=id%20desc").json()) == [64]
    selected = tree.call("GET", f"{path}?%24select=name").json()["value"][0]
    assert set(selected) == {"@odata.type", "name", "entryType"}
    for wrong in ("%24orderby=nothing", "%24orderby=id%20up", "%24skip=-1", "%24top=x"):
        assert tree.call("GET", f"{path}?{wrong}").status_code == 400
    many = "%24orderby=" + ",".join(["id"] * 6)
    assert tree.call("GET", f"{path}?{many}").status_code == 400


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ('{LF:Modified>="2023-11-17"}', [63, 64]),
        ('({LF:Name="Doc*", Type="D"}) & {LF:Modified<"2023-11-16"}', [60, 61]),
        ('{LF:Modified>="2023-11-15", Modified<="2023-11-15"}', [61]),
        (r'{LF:LookIn="\Other"} & {LF:Name="*", Type="D"}', [70]),
        ('{LF:Basic ~= "elsewhere", option="DFANLT"}', [70]),
        ('{LF:Name="Nothing"}', []),
    ],
)
def test_a_search_finds_by_name_path_and_day(tree: Api, command: str, found: list[int]) -> None:
    assert found_by(tree, command) == found


@pytest.mark.parametrize(
    "command", ["", "Doc", "{LF:Nonsense=1}", '{LF:Modified>="03/01/2026x"}', '({LF:Name="a"}']
)
def test_a_search_that_is_not_understood_is_refused(tree: Api, command: str) -> None:
    answer = tree.call("POST", "/SimpleSearches", {"searchCommand": command})
    assert answer.status_code == 400


def test_a_search_is_a_task_whose_results_stay_until_it_is_closed(tree: Api) -> None:
    body = {"searchCommand": '{LF:Name="Doc*"}'}

    def start() -> str:
        return str(tree.call("POST", "/Searches/SearchAsync", body).json()["taskId"])

    first = start()
    tree.sandbox._clock.advance(1)
    (told,) = tree.tasks(first)
    assert (told["taskType"], told["result"]["uri"]) == (
        "SearchEntry",
        f"/Searches/{first}/Results",
    )
    assert ids(tree.call("GET", f"/Searches/{first}/Results").json()) == [60, 61, 62, 63, 64]
    start()
    assert tree.call("POST", "/Searches/SearchAsync", body).status_code == 429
    assert tree.call("DELETE", f"/Tasks?taskIds={first}").status_code == 200
    assert tree.call("POST", "/Searches/SearchAsync", body).status_code == 202
    assert tree.call("GET", f"/Searches/{first}/Results").status_code == 404


def test_a_simple_search_is_cut_off_after_100(api: Api) -> None:
    api.add(*(EntrySpec(f"many {number}") for number in range(101)))
    answer = api.call("POST", "/SimpleSearches", {"searchCommand": '{LF:Name="many*"}'})
    assert (answer.status_code, len(answer.json()["value"])) == (206, 100)
