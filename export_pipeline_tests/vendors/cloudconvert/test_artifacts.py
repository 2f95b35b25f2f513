"""Names of files: each its own, whatever the vendor calls them and in whatever order it lists."""

from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.vendors.cloudconvert.artifacts import matched, name_files, plan
from export_pipeline.vendors.cloudconvert.models import File
from export_pipeline_tests.vendors import rows

NAMES = st.one_of(st.text(max_size=300), st.sampled_from(["a.txt", "a-2.txt", "A.txt", "..", "/"]))
FILES = st.lists(
    st.builds(File, filename=NAMES, dir=st.one_of(st.none(), NAMES), size=st.integers(0, 9)),
    max_size=8,
)


@given(FILES)
def test_every_file_has_a_safe_name_of_its_own(files: list[File]) -> None:
    named = name_files(files)
    assert len(named) == len(files)
    for name in named:
        folder, slash, rest = name.partition("/")
        assert (folder, slash) == ("files", "/")
        assert set(rest) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.=")
        assert rest not in ("", ".", "..")
        assert len(rest) <= 160
    assert len({name.casefold() for name in named}) == len(files)


@given(FILES, st.randoms())
def test_names_do_not_depend_on_the_order_of_the_list(files: list[File], random: object) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = {name: (one.path, one.size) for name, one in name_files(files).items()}
    assert {name: (one.path, one.size) for name, one in name_files(shuffled).items()} == told


def test_names_that_need_no_escape_stay_as_they_are() -> None:
    files = [File(filename="a.txt"), File(filename="a.txt"), File(filename="a.txt", dir="2026")]
    assert list(name_files(files)) == ["files/2026=2fa.txt", "files/a.txt", "files/a-2.txt"]


def test_files_that_an_export_moved_are_known_again_each_once() -> None:
    wanted = {"files/a.txt": "a.txt", "files/a-2.txt": "a.txt", "files/x=2fb.txt": "x/b.txt"}
    files = name_files(
        [File(filename="a.txt"), File(filename="a.txt", dir="9"), File(filename="b.txt")]
    )
    found = matched(files, wanted)
    assert {name: one.path for name, one in found.items()} == {
        "files/a.txt": "a.txt",
        "files/a-2.txt": "9/a.txt",
        "files/x=2fb.txt": "b.txt",
    }


def test_a_file_that_was_not_exported_is_no_other() -> None:
    assert matched(name_files([File(filename="b.txt")]), {"files/a.txt": "a.txt"}) == {}


def test_before_an_order_one_artifact_stands_for_all() -> None:
    assert [one.name for one in plan(rows.scan("cloudconvert", "x"))] == ["files"]
