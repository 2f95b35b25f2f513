"""A HookBridge that behaves as seed 002 and FACTS part 3 state: its exports, and no more."""

from export_pipeline.sandbox.hookbridge.exports import ExportSpec
from export_pipeline.sandbox.hookbridge.options import HookBridgeOptions, Project

__all__ = ["ExportSpec", "HookBridgeOptions", "Project"]
