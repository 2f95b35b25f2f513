"""Azure Blob Storage, as Dagster users configure it."""

from collections.abc import Mapping

from export_pipeline.defs.resources import Storage, secret


class AzureStorage(Storage):
    """The archive on Azure Blob Storage. What is set here goes before the EXPORT_AZURE_ variables.

    Not dagster-azure's resource, whose package brings 60 MB that nothing here needs. With neither
    key nor SAS token, Azure's default chain finds an identity of the machine.
    """

    endpoint: str | None = None
    """Overrides EXPORT_AZURE_ENDPOINT."""
    access_key: str | None = secret("EXPORT_AZURE_ACCESS_KEY")
    sas_token: str | None = secret("EXPORT_AZURE_SAS_TOKEN")

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`."""
        fields = {
            "EXPORT_AZURE_ENDPOINT": self.endpoint,
            "EXPORT_AZURE_ACCESS_KEY": self.access_key,
            "EXPORT_AZURE_SAS_TOKEN": self.sas_token,
        }
        return {name: value for name, value in fields.items() if value}
