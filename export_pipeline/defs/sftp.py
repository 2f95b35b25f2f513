"""An SFTP server, as Dagster users configure it."""

from collections.abc import Mapping

from export_pipeline.defs.resources import Storage, secret


class SftpStorage(Storage):
    """The archive on an SFTP server. What is set here goes before the EXPORT_SFTP_ variables."""

    password: str | None = secret("EXPORT_SFTP_PASSWORD")
    private_key: str | None = secret("EXPORT_SFTP_PRIVATE_KEY")
    private_key_file: str | None = None
    """Overrides EXPORT_SFTP_PRIVATE_KEY_FILE."""
    passphrase: str | None = secret("EXPORT_SFTP_PASSPHRASE")
    host_key: str | None = None
    """Overrides EXPORT_SFTP_HOST_KEY."""
    known_hosts: str | None = None
    """Overrides EXPORT_SFTP_KNOWN_HOSTS."""

    def variables(self) -> Mapping[str, str]:
        """See `Storage.variables`."""
        fields = {
            "EXPORT_SFTP_PASSWORD": self.password,
            "EXPORT_SFTP_PRIVATE_KEY": self.private_key,
            "EXPORT_SFTP_PRIVATE_KEY_FILE": self.private_key_file,
            "EXPORT_SFTP_PASSPHRASE": self.passphrase,
            "EXPORT_SFTP_HOST_KEY": self.host_key,
            "EXPORT_SFTP_KNOWN_HOSTS": self.known_hosts,
        }
        return {name: value for name, value in fields.items() if value}
