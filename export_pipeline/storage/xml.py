"""Answers in XML."""

from xml.etree import ElementTree as ET


def parse(body: bytes) -> ET.Element | None:
    """Read an XML answer; None for anything else, such as the page of a proxy."""
    try:
        # The store is our own; expat 2.4.1 and later bound what entities may grow to.
        return ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        return None


def text(element: ET.Element | None, path: str) -> str:
    """Return the text of what is inside, its first name of any namespace; "" if it is not."""
    return (element.findtext(f"{{*}}{path}") or "").strip() if element is not None else ""
