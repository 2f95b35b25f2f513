from export_pipeline_tests.vendors.conformance import VendorConformance
from export_pipeline_tests.vendors.ids import FoundAgain, VendorIds
from export_pipeline_tests.vendors.pulled import LinksOnDemand, Pulled


class TestHookBridge(VendorConformance, VendorIds, FoundAgain, Pulled, LinksOnDemand):
    pass
