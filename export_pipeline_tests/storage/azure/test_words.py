import time

import pytest

from export_pipeline.errors import AccessDenied
from export_pipeline.storage.azure.chain import Chain
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.azure.words import explain
from export_pipeline.storage.http import Answer

PLACE = Place("account", "container", "https://account.blob.core.windows.net")


IDENTITY = "the identity that Azure's default chain finds"


@pytest.mark.parametrize(
    ("place", "action", "name", "what", "role"),
    [
        (PLACE, "PutBlob", "a", "'a' in container 'container'", "Data Contributor"),
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
