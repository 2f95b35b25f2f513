"""A CloudConvert that behaves as seed 003 and FACTS part 4 state."""

from export_pipeline.sandbox.cloudconvert.making import FileSpec, JobSpec
from export_pipeline.sandbox.cloudconvert.options import Account, CloudConvertOptions

__all__ = ["Account", "CloudConvertOptions", "FileSpec", "JobSpec"]
