"""Numbers as people read them, in the terminal and in the report."""

_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def duration(seconds: float) -> str:
    """A duration in the two largest units: `3 d 4 h`."""
    left = round(seconds)
    if left < _MINUTE:
        return f"{left} s"
    for large, small, names in ((_DAY, _HOUR, "d h"), (_HOUR, _MINUTE, "h min")):
        if left >= large:
            first, second = names.split()
            return f"{left // large} {first} {left % large // small} {second}"
    return f"{left // _MINUTE} min {left % _MINUTE} s"


def size(count: int) -> str:
    """A number of bytes in decimal units."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def plural(count: int, noun: str) -> str:
    """`1 scan`, `2,300 scans`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
