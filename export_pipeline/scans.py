"""What names a scan, and the one escape by which a vendor's id becomes a path or partition key."""

from dataclasses import dataclass

from export_pipeline.errors import BadInput

DEFAULT_ACCOUNT = "default"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_DOT = ord(".")


def escape(text: str) -> str:
    """Return `text` with every byte outside `[a-z0-9_-]` and single inner dots written as `=xx`.

    Reversible (`unescape`), never empty for a non-empty text, free of `/ % , [ ] :` and `...`, so
    that one name serves as path component, object key, BagIt path and Dagster partition key
    (DESIGN.md part 4.7). Capitals are escaped too: some file systems fold case.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return "".join(
        chr(byte) if byte in _PLAIN or _is_inner_dot(raw, index) else f"={byte:02x}"
        for index, byte in enumerate(raw)
    )


def _is_inner_dot(raw: bytes, index: int) -> bool:
    if raw[index] != _DOT or index in (0, len(raw) - 1):
        return False
    return _DOT not in (raw[index - 1], raw[index + 1])


def unescape(name: str) -> str:
    """Return the text that `escape` turned into `name`.

    Raises:
        BadInput: `name` is not something that `escape` can have written.
    """
    head, *escaped = name.split("=")
    try:
        raw = head.encode("ascii") + b"".join(
            bytes([int(piece[:2], 16)]) + piece[2:].encode("ascii") for piece in escaped
        )
        text = raw.decode("utf-8", "surrogatepass")
    except ValueError:
        text = ""
    if escape(text) != name:
        raise BadInput(f"{name!r} is not an escaped id: copy it from the ledger or from Dagster")
    return text


@dataclass(frozen=True, order=True)
class ScanKey:
    """The full name of a scan: vendor, account and the vendor's own id, unescaped."""

    vendor: str
    account: str
    scan: str

    @property
    def partition_key(self) -> str:
        """Dagster's partition key: `<scan>`, or `<account>:<scan>` off the default account."""
        scan = escape(self.scan)
        if self.account == DEFAULT_ACCOUNT:
            return scan
        return f"{escape(self.account)}:{scan}"

    @classmethod
    def from_partition_key(cls, vendor: str, partition_key: str) -> "ScanKey":
        """Read back what `partition_key` wrote.

        Raises:
            BadInput: the key was not written by `partition_key`.
        """
        account, colon, scan = partition_key.rpartition(":")
        return cls(vendor, unescape(account) if colon else DEFAULT_ACCOUNT, unescape(scan))

    def __str__(self) -> str:
        return f"{self.vendor}/{self.account}/{self.scan}"
