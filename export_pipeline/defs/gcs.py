"""Google Cloud Storage for Dagster: dagster-gcp's own resource, opened as the archive's store."""

from collections.abc import Mapping

from dagster_gcp.gcs import GCSResource

from export_pipeline.defs.resources import Storage, secret


class GCSStorage(GCSResource, Storage):
    """The archive on Google Cloud Storage. What is set here goes before the EXPORT_GCS_ variables.

    The field `project` is of dagster-gcp's `GCSResource` and for its `get_client` alone, which is
    there too and finds credentials by Google's default chain: the archive names no project.
    """

    key: str | None = secret("EXPORT_GCS_KEY")
    endpoint: str | None = None
    """Overrides EXPORT_GCS_ENDPOINT."""

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`."""
        fields = {
            "EXPORT_GCS_KEY": self.key,
            "EXPORT_GCS_ENDPOINT": self.endpoint,
        }
        return {name: value for name, value in fields.items() if value}

    def get_object_to_set_on_execution_context(self) -> "GCSStorage":
        """Hand out the store's resource, where dagster-gcp's would hand out a client."""
        return self
