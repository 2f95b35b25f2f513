import time

import pytest

from export_pipeline.errors import AccessDenied
from export_pipeline.storage.azure.chain import Chain
from export_pipeline.storage.azure.credentials import SasToken
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.azure.words import explain
from export_pipeline.storage.http import Answer

PLACE = Place("account", "container", "https://account.blob.core.windows.net")


IDENTITY = "the identity that Azure's default chain finds"


@pytest.mark.parametrize(
    ("place", "action", "name", "what", "role"),
    [
        (PLACE, "PutBlob", "a", "'a' in container 'container'", "Data Contributor"),
        (PLACE, "DeleteBlobVersion", "a", "'a' in container 'container'", "Data Owner"),
        (
            PLACE.whole_account,
            "GetUserDelegationKey",
            "",
            "the account",
            "Delegator on the account",
        ),
    ],
)
def test_an_identity_without_a_role_is_told_which(
    place: Place, action: str, name: str, what: str, role: str
) -> None:
    """Azurite checks no roles."""
    answer = Answer(403, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    error = explain(answer, place, Chain(PLACE, time.time), action, name, time.time())
    assert isinstance(error, AccessDenied)
    assert str(error) == (
        f"{action} of {what} at {PLACE.service}: access denied: give {IDENTITY} the role"
        f" Storage Blob {role}"
    )


@pytest.mark.parametrize(
    ("code", "action", "words"),
    [
        ("AuthorizationPermissionMismatch", "PutBlock", "the permission c and w"),
        ("AuthorizationPermissionMismatch", "DeleteBlob", "the permission d"),
        ("AuthorizationPermissionMismatch", "DeleteBlobVersion", "the permission x"),
        (
            "AuthorizationResourceTypeMismatch",
            "PutBlob",
            "is not for containers and objects .*srt=co",
        ),
        ("AuthorizationServiceMismatch", "PutBlob", "is not for blobs: .*ss=b"),
    ],
)
def test_a_sas_token_that_allows_too_little_is_told_what_it_lacks(
    code: str, action: str, words: str
) -> None:
    token = SasToken("sv=1&sig=very-secret", None, time.time)
    answer = Answer(403, {"x-ms-error-code": code})
    error = explain(answer, PLACE, token, action, "a", time.time())
    with pytest.raises(AccessDenied, match=f"EXPORT_AZURE_SAS_TOKEN.* {words}") as told:
        raise error
    assert "very-secret" not in str(told.value)
