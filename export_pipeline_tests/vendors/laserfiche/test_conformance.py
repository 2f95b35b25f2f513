from export_pipeline.errors import OrderRefused
from export_pipeline_tests.vendors.conformance import VendorConformance
from export_pipeline_tests.vendors.ids import VendorIds
from export_pipeline_tests.vendors.logins import Logins
from export_pipeline_tests.vendors.pulled import Pulled


class TestLaserfiche(VendorConformance, VendorIds, Logins, Pulled):
    """Rights are an entry's own: a 403 is about that one, where the account sees its repository."""

    forbidden = OrderRefused
