"""One Laserfiche: what it has, and what its calls share."""

import math

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.laserfiche.accounts import Accounts, Token
from export_pipeline.sandbox.laserfiche.entries import Entries
from export_pipeline.sandbox.laserfiche.errors import ProblemError, too_many
from export_pipeline.sandbox.laserfiche.exporting import Exporting
from export_pipeline.sandbox.laserfiche.faults import KNOWN
from export_pipeline.sandbox.laserfiche.links import Links
from export_pipeline.sandbox.laserfiche.options import LaserficheOptions
from export_pipeline.sandbox.laserfiche.stats import Stats
from export_pipeline.sandbox.laserfiche.tasks import Tasks
from export_pipeline.sandbox.limits import SlidingWindows


class Laserfiche:
    """State of the vendor; nothing goes on in the background.

    Args:
        options: its behaviour, which a test may change.
        clock: tells the time and waits.
        base: the API's URL.
        files: the URL of its file host.
    """

    def __init__(self, options: LaserficheOptions, clock: Clock, base: str, files: str) -> None:
        self.options = options
        self.clock = clock
        self.base = base
        self.accounts = Accounts(clock, options.accounts)
        self.entries = Entries(clock.now())
        self.tasks = Tasks(clock)
        self.links = Links(files, clock)
        self.windows = SlidingWindows(clock)
        self.faults = Faults(KNOWN)
        self.stats = Stats()
        self.exporting = Exporting(clock, self.links, self.stats, lambda: self.options)

    def limited(self, title: str, wait: float) -> ProblemError:
        """The refusal of a call over a limit that has room again in `wait` seconds."""
        return too_many(title, math.ceil(wait) if self.options.retry_after else None)

    def require_operation(self, token: Token) -> None:
        """Exports and searches are counted together: a long operation is one or the other."""
        most = self.options.limits.long_operations
        if most and self.tasks.running(token.account) >= most:
            self.windows.violations["long_operations"] += 1
            raise self.limited("Operation limit is reached.", 1)
