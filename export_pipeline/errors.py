"""Every error the project raises on purpose, in one tree.

ExportPipelineError
├── ConfigError              a setting is missing or wrong; a person must change it
├── BadInput                 a file, webhook or id that was handed in cannot be used
├── LedgerError
│   ├── NoLedger             the home has no ledger yet
│   ├── LedgerTooNew         a newer release wrote this ledger
│   ├── UnknownScan          the ledger has no such scan
│   └── NotForgotten         a scan cannot be forgotten now; nothing of it was deleted
├── TurnMissed               a claimed moment passed before the call could be sent       (transient)
├── VendorError              the vendor answered with an error, or not at all
│   ├── RateLimited          wait until `retry_after` seconds have passed        (transient)
│   ├── VendorUnavailable    5xx, maintenance, time-out, broken connection       (transient)
│   ├── AuthenticationFailed a person must correct the credentials
│   ├── OrderRefused         the order is wrong as it is; `fields` names culprits
│   │   └── OrderInvalid     so wrong that it was not even sent: no part of it would pass
│   ├── DuplicateOrder       the vendor has this order id already
│   ├── ResultLost           what an order made is gone or broken at the vendor: order again
│   └── ScanGone             expired or deleted at the vendor
├── StoreError
│   ├── AlreadyExists        a create-only write found an object
│   ├── NotFound             no object under that key
│   ├── AccessDenied         a person must grant access
│   ├── StoreFull            a person must make room
│   └── StoreUnavailable     the store cannot be reached                         (transient)
├── FolderError              a folder of this machine takes no more files; a person must act
└── Unreadable               an artifact's bytes do not open as what they should be
    └── Doubtful             nor did they at the vendor, as far as can be told: they are kept

`transient` says whether the same call may succeed later with nothing changed.
"""

from typing import ClassVar


class ExportPipelineError(Exception):
    """Base of all; its text is written for the person who must act."""

    transient: ClassVar[bool] = False


class ConfigError(ExportPipelineError):
    """A setting is missing or wrong; the text names the variable and what to set."""


class BadInput(ExportPipelineError):
    """Something handed in (a file's line, an id, a webhook body) cannot be used as it is."""


class LedgerError(ExportPipelineError):
    """The ledger cannot do what was asked."""


class NoLedger(LedgerError):
    """There is no ledger at the home that was named."""


class LedgerTooNew(LedgerError):
    """The ledger was migrated by a newer release; this one must not touch it."""


class UnknownScan(LedgerError):
    """The ledger has no scan of that id."""


class NotForgotten(LedgerError):
    """A hold, a lock or work under way keeps a scan; the text says what, and what to do."""


class TurnMissed(ExportPipelineError):
    """The moment claimed within a vendor's quota passed before the call was sent: claim anew."""

    transient = True


class VendorError(ExportPipelineError):
    """A vendor's answer that is not a success, with what support will ask for.

    Args:
        message: what happened and what to do, without credentials.
        vendor: the vendor's name.
        account: the configured account's short name.
        scan: the vendor's own scan id, where the call named one.
        status: the HTTP status, None where no answer came.
        request_id: the vendor's id of this request, None where it gave none.
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str,
        account: str,
        scan: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = message
        self.vendor = vendor
        self.account = account
        self.scan = scan
        self.status = status
        self.request_id = request_id
        super().__init__(self._text())

    def _text(self) -> str:
        known = {
            "scan": self.scan,
            "account": self.account,
            "HTTP status": self.status,
            "request id": self.request_id,
        }
        facts = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return f"{self.vendor}: {self.message} ({facts})"


class RateLimited(VendorError):
    """The vendor's limit was hit; `retry_after` is its own word in seconds, or None."""

    transient = True
    retry_after: float | None = None


class VendorUnavailable(VendorError):
    """No usable answer: 5xx, maintenance, time-out, broken connection.

    `retry_after` is the vendor's own word in seconds, or None.
    """

    transient = True
    retry_after: float | None = None


class AuthenticationFailed(VendorError):
    """The credentials were refused; every further call of the account would be too."""


class OrderRefused(VendorError):
    """The vendor refused the order; `fields` are the request fields that it named, if any.

    `vendor_names` are its own names of the artifacts that it singled out, such as result ids.
    """

    fields: tuple[str, ...] = ()
    vendor_names: tuple[str, ...] = ()


class OrderInvalid(OrderRefused):
    """Not sent, since the vendor's documents rule it out: an id or an address that is none."""


class DuplicateOrder(VendorError):
    """The vendor already has an order of this id: an earlier send arrived."""


class ResultLost(VendorError):
    """What an order made expired, or is not what the vendor said: another order brings it anew."""


class ScanGone(VendorError):
    """The scan expired or was deleted at the vendor; asking again is pointless."""


class StoreError(ExportPipelineError):
    """A store refused or failed; the text names the store and the key."""


class AlreadyExists(StoreError):
    """A create-only write found an object under its key."""


class NotFound(StoreError):
    """No object under that key."""


class AccessDenied(StoreError):
    """The store's credentials do not allow this."""


class StoreFull(StoreError):
    """The store has no room left."""


class StoreUnavailable(StoreError):
    """The store cannot be reached right now."""

    transient = True


class FolderError(ExportPipelineError):
    """A folder of this machine into which files are fetched takes no more: no room, no right."""


class Unreadable(ExportPipelineError):
    """An artifact's bytes do not open as what they should be (JSON of its shape, a PDF, ...)."""


class Doubtful(Unreadable):
    """Bytes that others made and the vendor only keeps do not open: the flaw may be their own."""
