from export_pipeline_tests.vendors.conformance import VendorConformance
from export_pipeline_tests.vendors.ids import OurIds
from export_pipeline_tests.vendors.logins import Logins


class TestCopyleaks(VendorConformance, OurIds, Logins):
    pass
