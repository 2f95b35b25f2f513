from export_pipeline_tests.vendors.conformance import VendorConformance


class TestCopyleaks(VendorConformance):
    pass
