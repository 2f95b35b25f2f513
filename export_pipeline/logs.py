"""Where our processes' log lines go: standard error, which leaves standard output to results."""

import sys
from typing import Any

import structlog

DEFAULT_LEVEL = "info"


def configure(level: str = DEFAULT_LEVEL) -> None:
    """Write log lines of `level` and above to standard error; each process of ours calls it."""
    structlog.configure(
        logger_factory=_to_standard_error,
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


def get_logger(name: str) -> Any:
    """Return the module's logger.

    structlog's own default prints debug lines on standard output. Who uses this package as a
    library and has configured structlog keeps that; for all others it is as in our processes.
    """
    if not structlog.is_configured():
        configure()
    return structlog.get_logger(name)


def _to_standard_error(*_name: str) -> structlog.PrintLogger:
    # Looked up at each line: whoever redirects it, such as a test, closes it in the end.
    return structlog.PrintLogger(sys.stderr)
