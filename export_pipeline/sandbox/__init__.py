"""Local servers that behave like the vendors, limits included: a judge of our clients.

It imports nothing from the rest of the package.
"""

from export_pipeline.sandbox.app import Pace, SandboxOptions
from export_pipeline.sandbox.clock import Clock, RealClock, SteppedClock
from export_pipeline.sandbox.copyleaks import Account, CopyleaksOptions, ScanSpec, sample_scans
from export_pipeline.sandbox.server import Announcement, Sandbox, run, serve

__all__ = [
    "Account",
    "Announcement",
    "Clock",
    "CopyleaksOptions",
    "Pace",
    "RealClock",
    "Sandbox",
    "SandboxOptions",
    "ScanSpec",
    "SteppedClock",
    "run",
    "sample_scans",
    "serve",
]
