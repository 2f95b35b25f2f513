"""As whom Google is asked: bearer tokens and signatures, by google-auth's own rules."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import google.auth
import urllib3
from google.auth.credentials import Credentials, TokenState, with_scopes_if_required
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.urllib3 import Request
from google.oauth2 import service_account

from export_pipeline.errors import ConfigError
from export_pipeline.storage.gcs.iam import iam_signer
from export_pipeline.storage.gcs.options import GcsOptions, service_account_key
from export_pipeline.storage.gcs.signing import Signer
from export_pipeline.storage.gcs.words import explain_credentials

KEY_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
CHAIN_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""Wider, as it lets IAM sign too; what may be done is for the account's roles to say."""
PATIENCE = urllib3.Timeout(connect=5.0, read=15.0)
"""With Google's token service and the metadata server, in seconds."""
LENT_OWN = (
    "EXPORT_CLOUDCONVERT_GCS_CLIENT_EMAIL: the archive's own service account is never given to a"
    " vendor: make one that may only create objects (roles/storage.objectCreator)"
)


class Account:
    """One set of credentials, looked for at the first use.

    Args:
        find: gives google-auth's credentials; may block.
        signing_account: as whom IAM signs; "" for the credentials' own account.
        iam_url: of the IAM Service Account Credentials API.
    """

    def __init__(
        self, find: Callable[[Request], Credentials], signing_account: str, iam_url: str
    ) -> None:
        self._find = find
        self._signing_account = signing_account
        self._iam_url = iam_url
        self._request = Request(urllib3.PoolManager(timeout=PATIENCE, retries=False))
        self._lock = threading.RLock()

    @property
    def is_at_hand(self) -> bool:
        """Whether `headers` needs no look at files or the network."""
        found = self.__dict__.get("_found")
        return found is not None and found.token_state is TokenState.FRESH

    @property
    def signs(self) -> bool:
        """Whether there is a `signer`; taken for granted until one is looked for."""
        return "signer" not in self.__dict__ or self.signer is not None

    def headers(self) -> dict[str, str]:
        """Return the headers of a request with a token that does not end soon; may block.

        Raises:
            AccessDenied: there are no credentials, or they get no token.
            StoreUnavailable: Google could not be asked.
        """
        headers: dict[str, str] = {}
        if not self.is_at_hand:
            self._renew()
        self._found.apply(headers)
        return headers

    @cached_property
    def signer(self) -> Signer | None:
        """Who signs URLs, None if nobody can; may block.

        Raises:
            StoreError: see `headers`.
        """
        with self._lock, _explained():
            found = self._found
            if isinstance(found, service_account.Credentials):
                return Signer(self._own_address(), found.sign_bytes)
            account = self._signing_account or self._own_address()
        # A Kubernetes identity without a service account has a name, and nobody signs as it.
        if "@" not in account:
            return None
        return iam_signer(account, self.headers, self._request, self._iam_url)

    def acts_as(self, address: str) -> bool:
        """Whether Google is asked, or URLs are signed, as this service account; may block.

        Raises:
            StoreError: see `headers`.
        """
        with self._lock, _explained():
            return address in {self._signing_account, self._own_address()}

    def _renew(self) -> None:
        with self._lock, _explained():
            if not self.is_at_hand:
                self._found.refresh(self._request)

    def _own_address(self) -> str:
        if not isinstance(self._found, service_account.Credentials):
            # A machine learns its account's address with its first token.
            self.headers()
        return getattr(self._found, "service_account_email", None) or ""

    @cached_property
    def _found(self) -> Credentials:
        return self._find(self._request)


def find_account(options: GcsOptions, iam_url: str) -> Account:
    """Return as whom Google is asked; reads the file that is named, no network.

    Raises:
        ConfigError: the key cannot be used.
    """
    key = _key(options)
    if key is None:
        return Account(_of_chain, options.signing_account or "", iam_url)
    return Account(lambda _: key, "", iam_url)


def _of_chain(request: Request) -> Credentials:
    # Asked for without scopes, since with them it looks up a project that nobody needs here.
    found: Credentials = google.auth.default(request=request)[0]
    scoped: Credentials = with_scopes_if_required(found, [CHAIN_SCOPE])
    return scoped


def _key(options: GcsOptions) -> Credentials | None:
    if options.key:
        name, text = "EXPORT_GCS_KEY", options.key.get_secret_value()
    elif options.key_file:
        name, text = "EXPORT_GCS_KEY_FILE", _read(options.key_file)
    else:
        return None
    try:
        key = service_account_key(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    try:
        found: Credentials = service_account.Credentials.from_service_account_info(
            key, scopes=[KEY_SCOPE]
        )
    except ValueError:
        raise ConfigError(f"{name}: its private_key is not as Google made it") from None
    if key["client_email"] == options.cloudconvert_client_email:
        raise ConfigError(LENT_OWN)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"EXPORT_GCS_KEY_FILE: {path} cannot be read: {reason}") from None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except GoogleAuthError as error:
        raise explain_credentials(error) from None
