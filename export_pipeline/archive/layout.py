"""Where in a store each bag lies, and the way back from a key to its scan."""

from export_pipeline.errors import BadInput
from export_pipeline.scans import ScanKey, escape, unescape

PAYLOAD_FOLDER = "data/"
INCOMING = ".incoming/"
"""Where vendors write with credentials of their own: nothing there is taken for archived."""
SEAL_NAME = "tagmanifest-sha256.txt"
"""Written last: its presence is the seal (DESIGN.md part 7)."""
CATALOG_FOLDER = "catalog/"
FIXITY_FOLDER = "fixity/"
HOLD_FOLDER = "holds/"
REPORT_FOLDER = "report/"
TOMBSTONE_FOLDER = "tombstones/"
"""What the archive keeps beside its bags, so that the store alone tells everything."""
_PREFIX_PARTS = 4


def bag_prefix(key: ScanKey, generation: int) -> str:
    """Return the bag's folder, `<vendor>/<account>/<scan>/<generation>/`, ids escaped.

    Raises:
        BadInput: an id is empty or the generation is below 1.
    """
    if generation < 1 or not (key.vendor and key.account and key.scan):
        raise BadInput(f"scan {key}, generation {generation}: an id is empty or it is below 1")
    return f"{escape(key.vendor)}/{escape(key.account)}/{escape(key.scan)}/{generation}/"


def scan_prefix(key: ScanKey) -> str:
    """Return the folder of all bags of the scan.

    Raises:
        BadInput: an id is empty.
    """
    return bag_prefix(key, 1).removesuffix("1/")


def read_prefix(prefix: str) -> tuple[ScanKey, int]:
    """Return the scan and generation that `bag_prefix` turned into `prefix`.

    Raises:
        BadInput: `bag_prefix` cannot have written it.
    """
    vendor, account, scan, generation = _split(prefix)
    if not (generation.isascii() and generation.isdigit()):
        raise BadInput(f"{prefix!r} is not the folder of a bag: {generation!r} is no generation")
    found = ScanKey(unescape(vendor), unescape(account), unescape(scan)), int(generation)
    if bag_prefix(*found) != prefix:
        raise BadInput(f"{prefix!r} is not the folder of a bag: copy it from the catalog")
    return found


def _split(prefix: str) -> tuple[str, str, str, str]:
    try:
        vendor, account, scan, generation, end = prefix.split("/")
    except ValueError:
        end = "wrong count"
    if end:
        raise BadInput(f"{prefix!r} is not <vendor>/<account>/<scan>/<generation>/")
    return vendor, account, scan, generation


def prefix_of(key: str) -> str | None:
    """Return the folder of the bag in which the object `key` would lie, None if in none."""
    parts = key.split("/")
    if len(parts) <= _PREFIX_PARTS or not parts[_PREFIX_PARTS - 1].isdigit():
        return None
    return "/".join(parts[:_PREFIX_PARTS]) + "/"


def payload_key(prefix: str, name: str) -> str:
    """Return the key of the artifact file `name` in the bag at `prefix`."""
    return f"{prefix}{PAYLOAD_FOLDER}{name}"


def seal_key(prefix: str) -> str:
    """Return the key of the bag's seal."""
    return prefix + SEAL_NAME


def incoming_key(order_id: str, name: str) -> str:
    """Return the key at which a vendor itself writes an artifact of an order."""
    return f"{INCOMING}{order_id}/{name}"
