"""What the body of a call says that it is."""

from starlette.requests import Request

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def is_called(request: Request, media_type: str) -> bool:
    """Whether the body is said to be of that type, whatever is added, such as a charset."""
    told = request.headers.get("Content-Type", "")
    return told.partition(";")[0].strip().lower() == media_type
