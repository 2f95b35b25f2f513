"""What vendors have in common that post no webhooks: they are asked, and nothing is read."""

from collections.abc import Mapping

from export_pipeline.errors import BadInput
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.vendor import Registration


class Unhooked:
    """The reading of webhooks, for a vendor that sends none."""

    name: str

    def read_registration(
        self,
        status: str,  # noqa: ARG002
        body: bytes,  # noqa: ARG002
    ) -> Registration | None:
        """There are none.

        Raises:
            BadInput: always.
        """
        raise self._none()

    def read_completion(
        self,
        body: bytes,  # noqa: ARG002
        endpoints: Mapping[str, str],  # noqa: ARG002
    ) -> Completion:
        """There are none.

        Raises:
            BadInput: always.
        """
        raise self._none()

    def _none(self) -> BadInput:
        return BadInput(f"{self.name} sends no webhooks of its exports: they are asked after")
