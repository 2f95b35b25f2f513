"""Answers in bare text: of whoever stands before or behind an API, and of the control endpoints."""

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from export_pipeline.sandbox.routing import ApiError

T = TypeVar("T")


class BareError(ApiError):
    """An answer that is not the API's own: of a proxy before it, of the file host behind it."""

    def __init__(self, status: int, text: str, media_type: str = "text/plain") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.media_type = media_type

    def response(self) -> Response:
        """The text on the wire."""
        return Response(self.text, self.status, media_type=self.media_type)


def checked(read: Callable[[], T]) -> T:
    """What `read` makes of a control call's body; a 400 with the reason where that is wrong."""
    try:
        return read()
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BareError(400, str(error)) from None
