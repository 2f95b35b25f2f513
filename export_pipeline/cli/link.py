"""`link`: URLs by which people download the sealed files of a scan."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from export_pipeline.cli.home import open_home
from export_pipeline.cli.options import (
    Account,
    AsJson,
    Generation,
    Home,
    ScanId,
    Vendor,
    examples,
)
from export_pipeline.cli.output import complain, duration, emit, note, plural, say, size
from export_pipeline.workflow.history import find_named
from export_pipeline.workflow.link import Link, find_sealed, make_link

EPILOG = examples(
    "export-pipeline link essay-1",
    "export-pipeline link essay-1 pdf_report --for 2h",
    "export-pipeline link essay-1 pdf_report.pdf --json | jq -r .artifacts[0].url",
)
DEFAULT_LIFETIME = "15m"
"""As long as boto renews a role's credentials before their end, so that any role can cover it."""
_LIFETIME = re.compile(r"([1-9]\d{0,5})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FETCH = {
    "file": "they are files of this machine: copy them from where they lie",
    "sftp": "fetch them with sftp, as the user of EXPORT_STORAGE_URL",
    "https": "download them there, with the credentials of the EXPORT_HTTP_ variables",
    "http": "download them there, with the credentials of the EXPORT_HTTP_ variables",
}
_FETCH_ELSEWHERE = (
    "fetch them with the store's own tools, or set credentials that sign: `export-pipeline check`"
    " tells which are set"
)


def link(
    *,
    scan_id: ScanId,
    artifact: Annotated[
        str | None,
        typer.Argument(
            metavar="ARTIFACT", help="A file's name, or an artifact kind.  [default: all files]"
        ),
    ] = None,
    lifetime: Annotated[
        str,
        typer.Option(
            "--for", metavar="DURATION", help="How long a URL works: a number with s, m, h or d."
        ),
    ] = DEFAULT_LIFETIME,
    generation: Generation = None,
    vendor: Vendor = None,
    account: Account = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print a URL for each sealed file of a scan, with its size and sha256.

    Whoever has a URL can download that one file for the time that you give, and nothing else;
    nothing takes a URL back before it ends. It goes to stdout alone. Where the store cannot sign
    (a disk, SFTP, plain HTTP), the file's own place is printed instead, and the exit code is 1.
    """
    seconds = _seconds(lifetime)
    with open_home(home, account, vendor) as there:
        with there.ledger.read() as tx:
            scan = find_named(tx, scan_id, account, vendor)
            sealed, found = find_sealed(tx, scan, artifact, generation)
        store = there.store
        links = [make_link(store, scan, one, seconds=seconds) for one in found]
    if as_json:
        emit(
            {
                "vendor": scan.vendor,
                "scan": scan.scan,
                "account": scan.account,
                "generation": sealed.number,
                "verdict": sealed.verdict,
                "seconds": seconds,
                "artifacts": [asdict(one) for one in links],
            }
        )
    else:
        _show(links)
    if not all(one.url for one in links):
        complain(f"{store.url} signs no URLs: {_fetch(store.url)}")
        raise typer.Exit(1)
    note(
        f"{scan.key}, generation {sealed.number}, {sealed.verdict}:"
        f" {plural(len(links), 'URL')}, each for {duration(seconds)} and for whoever has it"
    )


def _seconds(lifetime: str) -> int:
    found = _LIFETIME.fullmatch(lifetime)
    if found is None:
        raise typer.BadParameter(
            f"{lifetime!r} is no duration: write 30s, 15m, 2h or 7d", param_hint="--for"
        )
    return int(found[1]) * _UNIT_SECONDS[found[2]]


def _show(links: Sequence[Link]) -> None:
    for one in links:
        say(f"{one.name}  {size(one.size)}  sha256 {one.sha256}")
        say(one.url or _readable(one.place))


def _readable(place: str) -> str:
    """The address as its own tools take it: a path for a file."""
    parts = urlsplit(place)
    return unquote(parts.path) if parts.scheme == "file" else place


def _fetch(url: str) -> str:
    return _FETCH.get(urlsplit(url).scheme, _FETCH_ELSEWHERE)
