"""Signatures by IAM, for an account whose private key only Google has."""

import base64
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus

from google.auth.exceptions import TransportError
from google.auth.transport import Request

from export_pipeline.storage.gcs.signing import Signer
from export_pipeline.storage.gcs.words import explain_signing, explain_silence, parse
from export_pipeline.storage.http import Answer

IAM_URL = "https://iamcredentials.googleapis.com"
ANSWER_SECONDS = 5.0
"""IAM answers in some 50 ms; a thread that signs is not held for longer than this."""
STEP_SECONDS = 300
"""Within it the same URL is signed once."""
KEPT_SIGNATURES = 16_384
"""Some 10 MB; as many as 16 orders of 1,000 artifacts need."""
LONGEST_SECONDS = 12 * 3600 - STEP_SECONDS
"""Google's key is good for 12 hours after it signed (IAM: "Method: serviceAccounts.signBlob")."""


def iam_signer(
    account: str, headers: Callable[[], Mapping[str, str]], request: Request, url: str = IAM_URL
) -> Signer:
    """Return who signs as `account` through IAM's `signBlob`.

    `Store.sign_upload` is no coroutine, so signing holds its thread: the workflow signs in threads
    of the ledger's, and whoever signs on an event loop blocks it for `ANSWER_SECONDS` at most, and
    for as long as a token takes where none is at hand. Nothing is tried again here. The workflow
    does that, and an order of a thousand artifacts whose last signature failed, or came after its
    turn, then asks for that one alone: the others are kept.

    Args:
        account: address of the service account.
        headers: give a token that may sign as it; may block.
        request: google-auth's, safe for many threads.
        url: of the IAM Service Account Credentials API.
    """

    def sign(text: bytes) -> bytes:
        body = json.dumps({"payload": base64.b64encode(text).decode()}).encode()
        try:
            answered = request(
                f"{url}/v1/projects/-/serviceAccounts/{account}:signBlob",
                "POST",
                body,
                {**headers(), "content-type": "application/json"},
                ANSWER_SECONDS,
            )
        except TransportError as error:
            raise explain_silence(f"IAM, asked to sign a URL as {account},", error) from None
        signature = parse(answered.data).get("signedBlob")
        if answered.status != HTTPStatus.OK or not signature:
            raise explain_signing(Answer(answered.status, {}, answered.data), account)
        return base64.b64decode(signature)

    return Signer(account, lru_cache(KEPT_SIGNATURES)(sign), LONGEST_SECONDS, STEP_SECONDS)
