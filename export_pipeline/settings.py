"""Every setting, read from environment variables; nothing needs to be set to load definitions."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.home_keys import (
    HOME_VARIABLE,
    RECEIVER_FILE,
    TOMBSTONE_FILE,
    make_keys,
    read_key,
)
from export_pipeline.ledger.database import BACKENDS, sqlite_url
from export_pipeline.signing_keys import read_public_keys, read_signing_key
from export_pipeline.validation import in_words, problems

DEFAULT_HOME = ".export_pipeline"
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
STORE_NAMES = ("S3", "GCS", "AZURE", "SWIFT", "SFTP", "HTTP")
STORE_PREFIXES = tuple(
    f"EXPORT_{infix}{name}_" for name in STORE_NAMES for infix in ("", "CLOUDCONVERT_")
)
"""With what the variables of the storage backends begin; `storage/` gives them their meaning."""
VENDOR_PREFIXES = tuple(
    f"EXPORT_{name}_" for name in ("COPYLEAKS", "LASERFICHE", "HOOKBRIDGE", "CLOUDCONVERT")
)
"""With what those of the vendors begin; `vendors/` gives them their meaning."""
RECEIVER_VARIABLES = {
    "EXPORT_LEDGER_URL",
    "EXPORT_STORAGE_URL",
    "EXPORT_RECEIVER_URL",
    "EXPORT_RECEIVER_SECRET",
    "EXPORT_RECEIVER_SECRET_PREVIOUS",
    "EXPORT_TOMBSTONE_KEY",
}
"""All that the receiver needs beside the stores' own variables, and secrets that sign webhooks."""
_RETENTION = "The same for {}'s scans alone; 0: they are kept"


def _variable(name: str, meaning: str, *, default: Any, **limits: Any) -> Any:
    return Field(default=default, alias=name, description=meaning, **limits)


def _ledger_url(url: str) -> str:
    try:
        parts = sa.make_url(url)
        parts.get_dialect()
    except sa.exc.ArgumentError:
        parts = None
    if parts is None or parts.get_backend_name() not in BACKENDS:
        raise ValueError(
            "no URL of a ledger: use sqlite:////folder/ledger.sqlite or"
            " postgresql+psycopg2://user:password@host/database"
        )
    return url


def _signing_key(secret: SecretStr) -> SecretStr:
    read_signing_key(secret.get_secret_value())
    return secret


def _public_keys(pem: str) -> str:
    read_public_keys(pem)
    return pem


class Settings(BaseModel):
    """What the environment says. The alias of a field is its variable, its description the help."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path
    ledger_url: Annotated[str, AfterValidator(_ledger_url)] = _variable(
        "EXPORT_LEDGER_URL", "Ledger's SQLAlchemy URL; empty: SQLite in the home", default=""
    )
    storage_url: str = _variable(
        "EXPORT_STORAGE_URL", "Where the archive lies; empty: `archive` in the home", default=""
    )
    receiver_url: str = _variable(
        "EXPORT_RECEIVER_URL",
        "Public address of the receiver, as the vendors reach it",
        default="http://127.0.0.1:8484",
    )
    receiver_secret: SecretStr | None = _variable(
        "EXPORT_RECEIVER_SECRET",
        "Key from which all our tokens derive; empty: a file in the home",
        default=None,
    )
    receiver_secret_previous: SecretStr | None = _variable(
        "EXPORT_RECEIVER_SECRET_PREVIOUS", "The key before, still accepted", default=None
    )
    tombstone_key: SecretStr | None = _variable(
        "EXPORT_TOMBSTONE_KEY",
        "Key of the digests by which forgotten scans are known again; empty: a file in the home",
        default=None,
    )
    retention_days: Annotated[int, Field(ge=1)] | None = _variable(
        "EXPORT_RETENTION_DAYS",
        "Days from its sealing until a scan is forgotten; empty: scans are kept",
        default=None,
    )
    copyleaks_retention_days: Annotated[int, Field(ge=0)] | None = _variable(
        "EXPORT_COPYLEAKS_RETENTION_DAYS", _RETENTION.format("Copyleaks"), default=None
    )
    laserfiche_retention_days: Annotated[int, Field(ge=0)] | None = _variable(
        "EXPORT_LASERFICHE_RETENTION_DAYS", _RETENTION.format("Laserfiche"), default=None
    )
    hookbridge_retention_days: Annotated[int, Field(ge=0)] | None = _variable(
        "EXPORT_HOOKBRIDGE_RETENTION_DAYS", _RETENTION.format("HookBridge"), default=None
    )
    cloudconvert_retention_days: Annotated[int, Field(ge=0)] | None = _variable(
        "EXPORT_CLOUDCONVERT_RETENTION_DAYS", _RETENTION.format("CloudConvert"), default=None
    )
    active_scans: Annotated[int, Field(ge=1, le=100_000)] = _variable(
        "EXPORT_ACTIVE_SCANS",
        "Most scans that have a Dagster partition at one time",
        default=50_000,
    )
    retire_days: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_RETIRE_DAYS",
        "Days without news of a settled scan until it leaves Dagster's partitions",
        default=30,
    )
    run_wait: Annotated[float, Field(ge=0)] = _variable(
        "EXPORT_RUN_WAIT", "Seconds that a run by hand waits for the vendor", default=300.0
    )
    order_deadline: Annotated[float, Field(gt=0)] = _variable(
        "EXPORT_ORDER_DEADLINE",
        "Seconds from the first turn until an order is given up",
        default=7_200.0,
    )
    order_patience: Annotated[float, Field(gt=0)] = _variable(
        "EXPORT_ORDER_PATIENCE",
        "Seconds without a completion webhook until the reconciler looks in the store",
        default=600.0,
    )
    attempts: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_ATTEMPTS", "Orders for one artifact before it is missing", default=3
    )
    order_on_webhook: bool = _variable(
        "EXPORT_ORDER_ON_WEBHOOK", "Order a scan as soon as its webhook registers it", default=True
    )
    pdfa: bool = _variable(
        "EXPORT_PDFA",
        "Have CloudConvert make a PDF/A of each archived Copyleaks report, in a bag of its own",
        default=False,
    )
    sensor_seconds: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_SENSOR_SECONDS", "Least seconds between two ticks of a sensor", default=30
    )
    batch_size: Annotated[int, Field(ge=1, le=1000)] = _variable(
        "EXPORT_BATCH_SIZE", "Scans that one Dagster run of a backfill works on", default=500
    )
    fixity_days: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_FIXITY_DAYS", "Days within which the whole archive is reread", default=90
    )
    fixity_bytes: Annotated[int, Field(ge=1)] | None = _variable(
        "EXPORT_FIXITY_BYTES", "Most bytes reread in one run; empty: as the days ask", default=None
    )
    fixity_trust_store: bool = _variable(
        "EXPORT_FIXITY_TRUST_STORE",
        "Compare the store's own checksums where it has them, instead of rereading",
        default=False,
    )
    signing_key: Annotated[SecretStr, AfterValidator(_signing_key)] | None = _variable(
        "EXPORT_SIGNING_KEY",
        "Ed25519 key that signs each bag, PKCS#8 in PEM; empty: bags are not signed",
        default=None,
    )
    signing_public_keys: Annotated[str, AfterValidator(_public_keys)] = _variable(
        "EXPORT_SIGNING_PUBLIC_KEYS",
        "Public keys in PEM, one after the other, whose signatures hold too: those used before",
        default="",
    )
    alert_url: SecretStr | None = _variable(
        "EXPORT_ALERT_URL",
        "Where alerts are posted, a webhook or one of Slack; empty: nowhere",
        default=None,
    )
    alert_format: Literal["auto", "json", "slack"] = _variable(
        "EXPORT_ALERT_FORMAT",
        "What is posted there: json, slack, or auto, by its host",
        default="auto",
    )
    alert_secret: SecretStr | None = _variable(
        "EXPORT_ALERT_SECRET",
        "Key that signs what is posted, whsec_...; empty: it is not signed",
        default=None,
    )
    storage_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)
    """The storage backends' own variables, credentials among them."""
    vendor_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)
    """The vendors' own variables, credentials among them."""

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path | None = None) -> "Settings":
        """Read the settings; `home` overrides `EXPORT_PIPELINE_HOME`.

        Raises:
            ConfigError: names the variable that cannot be used and why.
        """
        try:
            settings = cls.model_validate(_values(env, home))
        except ValidationError as error:
            raise ConfigError(in_words(error)) from None
        return settings.model_copy(
            update={
                "ledger_url": settings.ledger_url or sqlite_url(settings.home),
                "storage_url": settings.storage_url or (settings.home / "archive").as_uri(),
                "receiver_url": settings.receiver_url.rstrip("/"),
            }
        )

    @classmethod
    def for_receiver(cls, env: Mapping[str, str], home: Path | None = None) -> "Settings":
        """Read only what the receiver needs: nothing else that is wrong may cost a webhook.

        Raises:
            ConfigError: names the variable that cannot be used and why.
        """
        others = {field.alias for field in cls.model_fields.values()} - RECEIVER_VARIABLES
        return cls.from_env({name: env[name] for name in env if name not in others}, home)

    @classmethod
    def problems(cls, env: Mapping[str, str]) -> dict[str, str]:
        """The variables without which `from_env` would succeed, each with what is wrong with it."""
        try:
            cls.model_validate(_values(env, None))
        except ValidationError as error:
            return {one.name: one.words for one in problems(error)}
        return {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The receiver's keys, current first: from the environment, else from the home.

        Raises:
            ConfigError: there is neither, or it cannot be read.
        """
        current = self.receiver_secret.get_secret_value() if self.receiver_secret else ""
        current = current or read_key(self.home / RECEIVER_FILE, "EXPORT_RECEIVER_SECRET")
        if not current:
            raise ConfigError(
                "EXPORT_RECEIVER_SECRET is not set: set it to a long random text, or make a home"
                " that holds one with `export-pipeline check --init`"
            )
        previous = self.receiver_secret_previous
        return (current, *([previous.get_secret_value()] if previous else []))

    @property
    def tombstone_secret(self) -> str | None:
        """The key of the tombstones, from the environment, else from the home; None without one.

        Raises:
            ConfigError: it cannot be read.
        """
        if self.tombstone_key:
            return self.tombstone_key.get_secret_value()
        return read_key(self.home / TOMBSTONE_FILE, "EXPORT_TOMBSTONE_KEY") or None

    def retention(self, vendor: str) -> int | None:
        """Days from its sealing until a scan of the vendor is forgotten; None: it is kept."""
        own: int | None = getattr(self, f"{vendor}_retention_days")
        return (self.retention_days if own is None else own) or None

    def make_home(self) -> None:
        """Make the home with keys of its own, readable by this user only.

        Raises:
            ConfigError: it cannot be made there.
        """
        given = {RECEIVER_FILE: self.receiver_secret, TOMBSTONE_FILE: self.tombstone_key}
        make_keys(self.home, [name for name, key in given.items() if key is None])


def _values(env: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: value for name, value in env.items() if name.startswith("EXPORT_") and value
    }
    return values | {
        "home": (home or Path(env.get(HOME_VARIABLE) or DEFAULT_HOME)).absolute(),
        "storage_variables": _beginning(env, STORE_PREFIXES),
        "vendor_variables": _beginning(env, VENDOR_PREFIXES),
    }


def _beginning(env: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(prefixes)}
