"""What is set: variables that cannot be used, addresses, and what `check` says of a key."""

from pathlib import Path

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    VendorUnavailable,
)
from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.options import SCOPES, Account
from export_pipeline_tests.vendors.bench import connected
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.orders import created, run
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.transport import answer


def test_check_says_whether_the_key_works(bench: CloudConvertBench) -> None:
    assert "the key works" in run(bench, lambda: bench.vendor.check("default"))
    assert created(bench) == []
    bench.planned.append(answer(401))
    with pytest.raises(AuthenticationFailed, match="correct EXPORT_CLOUDCONVERT_KEY"):
        run(bench, lambda: bench.vendor.check("default"))


@pytest.mark.parametrize("lacks", ["task.read", "task.write"])
def test_check_refuses_a_key_that_may_not_both_read_and_order(tmp_path: Path, lacks: str) -> None:
    account = Account(scopes=tuple(one for one in SCOPES if one != lacks))
    options = SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast", accounts=(account,)))
    with (
        connected(CloudConvertBench, tmp_path, options) as bench,
        pytest.raises(AuthenticationFailed, match=r"needs the scopes task\.read and task\.write"),
    ):
        run(bench, lambda: bench.vendor.check("default"))


def test_check_says_so_if_the_vendor_orders_what_it_should_refuse(bench: CloudConvertBench) -> None:
    bench.planned.extend([answer(200, text='{"data": []}'), answer(201, text="{}")])
    with pytest.raises(VendorUnavailable, match="check EXPORT_CLOUDCONVERT_API_URL"):
        run(bench, lambda: bench.vendor.check("default"))


def test_an_account_without_a_key_says_what_to_set(bench: CloudConvertBench) -> None:
    with pytest.raises(ConfigError, match="set EXPORT_CLOUDCONVERT_KEY"):
        bench.vendor.require("eu")


@pytest.mark.parametrize("end", ["/v2", "/v2/", "/"])
def test_the_version_may_stand_in_an_address(bench: CloudConvertBench, end: str) -> None:
    """As the documents write it; it was asked for twice, and each scan was taken to be gone."""
    names = ("EXPORT_CLOUDCONVERT_API_URL", "EXPORT_CLOUDCONVERT_SYNC_URL")
    given = {name: bench.settings.vendor_variables[name] + end for name in names}
    bench.vendor = bench.make_vendor(**given)
    place(bench, bench.placement())
    assert [scan for scan, _ in bench.arrived()] == [bench.scans[0]]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("KEY", "a key", "KEY: no key"),
        ("DELIVERY", "mail", "DELIVERY: "),
        ("DISCOVER", "everything", "DISCOVER.0: "),
        ("REJECT", "99", "REJECT: "),
        ("REQUESTS_PER_MINUTE", "0", "REQUESTS_PER_MINUTE: "),
        ("API_URL", "api.cloudconvert.com", "API_URL: write it as https://api.cloudconvert.com"),
        ("SYNC_URL", "https://host/?key=x", "SYNC_URL: write it as https://sync.api.cloud"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    bench: CloudConvertBench, name: str, value: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=f"EXPORT_CLOUDCONVERT_{reason}"):
        bench.make_vendor(**{f"EXPORT_CLOUDCONVERT_{name}": value}).require("default")
