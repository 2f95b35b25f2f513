from export_pipeline.vendors.cloudconvert.api import CreditsSpent
from export_pipeline_tests.vendors.conformance import VendorConformance
from export_pipeline_tests.vendors.ids import FoundAgain, VendorIds
from export_pipeline_tests.vendors.pulled import Pulled


class TestCloudConvert(VendorConformance, VendorIds, FoundAgain, Pulled):
    """A 402 without a word is taken for want of credits; no document has it name its requests."""

    unpaid = CreditsSpent
    names_requests = False
