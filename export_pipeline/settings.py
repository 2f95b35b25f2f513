"""Every setting, read from environment variables; nothing needs to be set to load definitions."""

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.ledger.database import BACKENDS, sqlite_url
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.signing_keys import read_public_keys, read_signing_key

HOME_VARIABLE = "EXPORT_PIPELINE_HOME"
DEFAULT_HOME = ".export_pipeline"
SECRET_FILE = "receiver-secret"  # noqa: S105  the file's name
TOMBSTONE_FILE = "tombstone-key"
SECRET_BYTES = 32
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
STORE_NAMES = ("S3", "GCS", "AZURE", "SWIFT", "SFTP", "HTTP")
STORE_PREFIXES = tuple(
    f"EXPORT_{infix}{name}_" for name in STORE_NAMES for infix in ("", "CLOUDCONVERT_")
)
"""With what the variables of the storage backends begin; `storage/` gives them their meaning."""
VENDOR_PREFIXES = ("EXPORT_LASERFICHE_", "EXPORT_HOOKBRIDGE_", "EXPORT_CLOUDCONVERT_")
"""With what those of the vendors begin that keep their own; `vendors/` gives them their meaning."""
RECEIVER_VARIABLES = {
    "EXPORT_LEDGER_URL",
    "EXPORT_STORAGE_URL",
    "EXPORT_RECEIVER_URL",
    "EXPORT_RECEIVER_SECRET",
    "EXPORT_RECEIVER_SECRET_PREVIOUS",
    "EXPORT_TOMBSTONE_KEY",
}
"""All that the receiver needs beside the stores' own variables, and secrets that sign webhooks."""
_SEPARATORS = re.compile(r"[,\s]+")
COPYLEAKS = "EXPORT_COPYLEAKS_"
"""With what the variables of Copyleaks begin."""
_COPYLEAKS_DAYS = f"{COPYLEAKS}RETENTION_DAYS"
_RETENTION = "The same for {}'s scans alone; 0: they are kept"


class CopyleaksAccount(BaseModel):
    """One set of Copyleaks credentials, under the short name by which the team knows it."""

    model_config = ConfigDict(frozen=True)

    name: str
    email: str
    key: SecretStr


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
        _COPYLEAKS_DAYS, _RETENTION.format("Copyleaks"), default=None
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
        "Seconds from the first send until an order is given up",
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
    copyleaks_artifacts: tuple[str, ...] = _variable(
        "EXPORT_COPYLEAKS_ARTIFACTS",
        "Artifacts that every scan has where its own record does not say; empty: unknown",
        default=(),
    )
    copyleaks_exports_per_minute: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE", "Copyleaks's limit on export calls", default=10
    )
    copyleaks_requests_per_second: Annotated[int, Field(ge=1)] = _variable(
        "EXPORT_COPYLEAKS_REQUESTS_PER_SECOND", "Copyleaks's limit on all calls", default=10
    )
    copyleaks_max_retries: Annotated[int, Field(ge=1, le=12)] = _variable(
        "EXPORT_COPYLEAKS_MAX_RETRIES", "Uploads that Copyleaks tries per artifact", default=3
    )
    copyleaks_api_url: str = _variable(
        "EXPORT_COPYLEAKS_API_URL", "Copyleaks's API", default="https://api.copyleaks.com"
    )
    copyleaks_login_url: str = _variable(
        "EXPORT_COPYLEAKS_LOGIN_URL", "Copyleaks's login", default="https://id.copyleaks.com"
    )
    copyleaks_accounts: tuple[CopyleaksAccount, ...] = ()
    copyleaks_wrong: Mapping[str, str] = {}
    """Its accounts that cannot be used, by name, with why and what to set."""
    storage_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)
    """The storage backends' own variables, credentials among them."""
    vendor_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)
    """The vendors' own variables, credentials among them."""

    @classmethod
    def from_env(cls, env: Mapping[str, str], home: Path | None = None) -> "Settings":
        """Read the settings; `home` overrides `EXPORT_PIPELINE_HOME`.

        An account that is set wrongly is none that can be used, and harms no other; so are all of
        Copyleaks where one of its options is wrong.

        Raises:
            ConfigError: names the variable that cannot be used and why.
        """
        values = _values(env, home)
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            settings = cls.model_validate(_without_copyleaks(values, _in_words(error)))
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
            return _in_words(error)
        return {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The receiver's keys, current first: from the environment, else from the home.

        Raises:
            ConfigError: there is neither, or it cannot be read.
        """
        current = self.receiver_secret.get_secret_value() if self.receiver_secret else ""
        current = current or self._key(SECRET_FILE, "EXPORT_RECEIVER_SECRET")
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
        return self._key(TOMBSTONE_FILE, "EXPORT_TOMBSTONE_KEY") or None

    def _key(self, name: str, variable: str) -> str:
        """A key of the home; "" where there is none."""
        file = self.home / name
        try:
            return file.read_text().strip() if file.exists() else ""
        except OSError as error:
            raise ConfigError(
                f"{file} cannot be read ({error.strerror}): run this as the user who made the"
                f" home, or set {variable}"
            ) from None

    def retention(self, vendor: str) -> int | None:
        """Days from its sealing until a scan of the vendor is forgotten; None: it is kept."""
        own: int | None = getattr(self, f"{vendor}_retention_days")
        return (self.retention_days if own is None else own) or None

    def make_home(self) -> None:
        """Make the home with keys of its own, readable by this user only.

        Raises:
            ConfigError: it cannot be made there.
        """
        try:
            self._make_home()
        except OSError as error:
            raise ConfigError(
                f"no home can be made at {self.home} ({error.strerror}): name another folder by"
                f" --home or {HOME_VARIABLE}, or have this user own it"
            ) from None

    def _make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        for name, given in (
            (SECRET_FILE, self.receiver_secret),
            (TOMBSTONE_FILE, self.tombstone_key),
        ):
            file = self.home / name
            if given is None and not file.exists():
                file.touch(mode=0o600)
                file.write_text(secrets.token_urlsafe(SECRET_BYTES))


def _values(env: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: value for name, value in env.items() if name.startswith("EXPORT_") and value
    }
    listed = "EXPORT_COPYLEAKS_ARTIFACTS"
    if listed in values:
        values[listed] = tuple(_SEPARATORS.split(values[listed].strip(", ")))
    accounts, wrong = _copyleaks_accounts(env)
    return values | {
        "home": (home or Path(env.get(HOME_VARIABLE) or DEFAULT_HOME)).absolute(),
        "copyleaks_accounts": accounts,
        "copyleaks_wrong": wrong,
        "storage_variables": _beginning(env, STORE_PREFIXES),
        "vendor_variables": _beginning(env, VENDOR_PREFIXES),
    }


def _without_copyleaks(values: Mapping[str, Any], wrong: Mapping[str, str]) -> dict[str, Any]:
    """The values with no account of Copyleaks that can be used, if its own options are wrong.

    Raises:
        ConfigError: something is wrong that is not Copyleaks's alone.
    """
    reason = "; ".join(wrong.values())
    if not all(name.startswith(COPYLEAKS) and name != _COPYLEAKS_DAYS for name in wrong):
        raise ConfigError(reason)
    names = [*(one.name for one in values["copyleaks_accounts"]), *values["copyleaks_wrong"]]
    right = {name: value for name, value in values.items() if name not in wrong}
    unusable = dict.fromkeys(names or [DEFAULT_ACCOUNT], reason)
    return right | {"copyleaks_accounts": (), "copyleaks_wrong": unusable}


def _beginning(env: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(prefixes)}


def _copyleaks_accounts(
    env: Mapping[str, str],
) -> tuple[tuple[CopyleaksAccount, ...], dict[str, str]]:
    """The accounts, and by its name why one cannot be used."""
    extra = env.get("EXPORT_COPYLEAKS_ACCOUNTS", "").strip(", ")
    found: list[CopyleaksAccount] = []
    wrong: dict[str, str] = {}
    for name in dict.fromkeys([DEFAULT_ACCOUNT, *(_SEPARATORS.split(extra) if extra else [])]):
        try:
            account = _copyleaks_account(env, name)
        except ConfigError as error:
            wrong[name] = str(error)
        else:
            found += [account] if account is not None else []
    return tuple(found), wrong


def _copyleaks_account(env: Mapping[str, str], name: str) -> CopyleaksAccount | None:
    if not ACCOUNT_NAME.fullmatch(name):
        raise ConfigError(
            f"EXPORT_COPYLEAKS_ACCOUNTS: {name!r} is not an account name: use 1 to 31 of"
            " a-z 0-9 _ -, beginning with a letter or digit"
        )
    infix = "" if name == DEFAULT_ACCOUNT else f"{name.upper().replace('-', '_')}_"
    variables = [f"EXPORT_COPYLEAKS_{infix}{part}" for part in ("EMAIL", "KEY")]
    email, key = (env.get(variable, "") for variable in variables)
    if not email and not key and name == DEFAULT_ACCOUNT:
        return None
    for variable, value in zip(variables, (email, key), strict=True):
        if not value:
            raise ConfigError(f"{variable} is not set: account {name!r} needs it")
    return CopyleaksAccount(name=name, email=email, key=SecretStr(key))


def _in_words(error: ValidationError) -> dict[str, str]:
    """What is wrong with each variable, which the text names."""
    return {
        str(problem["loc"][0]): f"{'.'.join(str(part) for part in problem['loc'])}:"
        f" {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_input=False, include_url=False)
    }
