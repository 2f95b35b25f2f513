"""S3 as Dagster users configure it: dagster-aws's own resource, opened as the archive's store."""

from collections.abc import Mapping

from dagster_aws.s3 import S3Resource

from export_pipeline.defs.resources import Storage, secret
from export_pipeline.errors import ConfigError


class S3Storage(S3Resource, Storage):
    """The archive on S3. What is set here goes before EXPORT_STORAGE_URL and EXPORT_S3_ variables.

    Fields are those of dagster-aws's `S3Resource`, and its `get_client` is there too; what it has
    no field for (acl, encryption, tags...) is set by EXPORT_S3_ variables.
    """

    aws_secret_access_key: str | None = secret("EXPORT_S3_SECRET_ACCESS_KEY")
    aws_session_token: str | None = secret("EXPORT_S3_SESSION_TOKEN")

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`.

        Raises:
            ConfigError: a field is set that would leave the archive unsafe.
        """
        if self.use_unsigned_session or self.verify is False or not self.use_ssl:
            raise ConfigError(
                "S3Storage: use_unsigned_session, verify=False and use_ssl=False cannot keep an"
                " archive; for a certificate of your own set SSL_CERT_FILE, for plain HTTP write"
                " http:// in endpoint_url"
            )
        fields = {
            "EXPORT_S3_REGION": self.region_name,
            "EXPORT_S3_ENDPOINT": self.endpoint_url,
            "EXPORT_S3_PROFILE": self.profile_name,
            "EXPORT_S3_ACCESS_KEY_ID": self.aws_access_key_id,
            "EXPORT_S3_SECRET_ACCESS_KEY": self.aws_secret_access_key,
            "EXPORT_S3_SESSION_TOKEN": self.aws_session_token,
        }
        return {name: value for name, value in fields.items() if value}

    def get_object_to_set_on_execution_context(self) -> "S3Storage":
        """Hand out the store's resource, where dagster-aws's would hand out a boto3 client."""
        return self
