"""The suite of vendors that give out tokens for a login."""

from collections import deque
from typing import Protocol

from export_pipeline.errors import AuthenticationFailed
from export_pipeline_tests.vendors.conformance import (
    FAILING,
    VendorBench,
    failing,
    place,
    shows_no_secret,
)
from export_pipeline_tests.vendors.transport import Planned, answer, echoes


class LoginBench(VendorBench, Protocol):
    """`planned_logins` are answers to logins, given in place of the sandbox's."""

    planned_logins: deque[Planned]

    def refuse_tokens(self) -> None:
        """Let the vendor refuse all tokens given out, long before their time."""

    def forget_quotas(self) -> None:
        """Let the ledger forget what was claimed, as if it were much later."""

    def logins(self) -> int: ...


class Logins:
    def test_a_token_that_is_refused_early_is_renewed_once(self, bench: LoginBench) -> None:
        first, second = (bench.placement(scan) for scan in bench.scans)
        place(bench, first)
        bench.refuse_tokens()
        place(bench, second)
        assert [scan for scan, _ in bench.arrived()] == list(bench.scans)
        assert bench.logins() == 2

    def test_an_order_refused_with_a_new_token_too_is_a_matter_of_credentials(
        self, bench: LoginBench
    ) -> None:
        placement = bench.placement()
        place(bench, placement)
        real_login = bench.logins()
        error = failing(bench, placement, answer(401), answer(401))
        assert isinstance(error, AuthenticationFailed)
        assert bench.logins() == real_login + 1

    def test_no_secret_is_in_the_error_of_a_login(self, bench: LoginBench) -> None:
        placement = bench.placement()
        statuses = (200, *(status for status in FAILING if status < 500))
        for echo in (echo for status in statuses for echo in echoes(status)):
            bench.forget_quotas()
            bench.planned_logins.append(echo)
            shows_no_secret(failing(bench, placement), bench.secrets)
        assert bench.logins() == 0
