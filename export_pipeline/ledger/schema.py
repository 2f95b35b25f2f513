"""The ledger's tables. Times are seconds since the epoch by the database's clock (`Tx.now`)."""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    # A migration can only change a constraint that has a name.
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
    }
)


def _text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)  # type: ignore[arg-type]


class _AnyText(sa.types.TypeDecorator[str]):
    """What others wrote, with any character in it.

    Postgres takes no NUL in a text: one in a vendor's words would fail each try to note them.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        return value and value.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, _AnyText, nullable=False, default="")


def _words_or_none(name: str) -> sa.Column[str]:
    return sa.Column(name, _AnyText)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double)


def _json_or_none(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True))


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, default=False)


scans = sa.Table(
    "scans",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("vendor"),
    _text("account"),
    _text("scan"),
    _text("state"),
    _words("reason"),
    _text("source"),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, default=0),
    sa.Column("registered_at", sa.Double, nullable=False),
    _time("expires_at"),
    _time("admitted_at"),
    _time("retired_at"),
    _flag("activate"),
    sa.UniqueConstraint("vendor", "account", "scan"),
    sa.Index("scans_by_state", "vendor", "state", "id"),
    sa.Index("scans_by_admission", "vendor", "admitted_at"),
    sa.Index("scans_by_end", "vendor", "state", "expires_at", "id"),
)

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("scan_id", sa.ForeignKey("scans.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("state"),
    _text("verdict", default=""),
    _flag("wants_bag"),
    sa.Column("files", sa.Integer, nullable=False, default=0),
    sa.Column("bytes", sa.BigInteger, nullable=False, default=0),
    sa.Column("opened_at", sa.Double, nullable=False),
    _time("frozen_at"),
    _time("sealed_at"),
    _time("audited_at"),
    _words("damage"),
    _text("seal_sha256", default=""),
    _json_or_none("details"),
    _time("expires_at"),
    _time("tidy_at"),
    sa.Index("generations_by_state", "state", "sealed_at"),
    sa.Index("generations_in_order", "state", "scan_id", "number"),
    sa.Index("generations_to_tidy", "tidy_at"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("scan_id", sa.ForeignKey("scans.id"), nullable=False),
    _text("vendor"),
    _text("account"),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    _text("state"),
    _text("outcome", default=""),
    _words("reason"),
    sa.Column("queue_class", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("sends", sa.Integer, nullable=False, default=0),
    sa.Column("queued_at", sa.Double, nullable=False),
    sa.Column("not_before", sa.Double, nullable=False),
    _time("expires_at"),
    _time("sent_at"),
    _time("deadline"),
    _time("completed_at"),
    _time("closed_at"),
    _json_or_none("completion"),
    _words_or_none("request_id"),
    _words_or_none("vendor_order"),
    sa.Column("lease_owner", sa.Text),
    _time("lease_until"),
    sa.UniqueConstraint("scan_id", "generation", "part", "attempt"),
    sa.Index(
        "orders_in_queue", "state", "vendor", "account", "queue_class", "expires_at", "queued_at"
    ),
    sa.Index("orders_by_scan", "scan_id", "generation"),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("scan_id", sa.ForeignKey("scans.id"), primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    _text("kind"),
    _words("vendor_name"),
    _text("availability"),
    _text("state"),
    _words("reason"),
    sa.Column("order_id", sa.String(36)),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.String(64)),
    sa.Column("content_type", sa.Text),
    sa.Column("checksum", sa.Text),
    _json_or_none("details"),
    _time("delivered_at"),
    _time("verified_at"),
    sa.Index("artifacts_by_order", "order_id", "name"),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("scan_id", sa.ForeignKey("scans.id"), nullable=False),
    _text("vendor"),
    sa.Column("generation", sa.Integer, nullable=False),
    _text("asset"),
    _text("status"),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    _time("reported_at"),
    sa.Column("lease_owner", sa.Text),
    _time("lease_until"),
    sa.Index("reports_outstanding", "vendor", "reported_at", "id"),
    sa.Index("reports_by_scan", "scan_id", "reported_at"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("scan_id", sa.ForeignKey("scans.id"), nullable=False),
    sa.Column("order_id", sa.String(36)),
    sa.Column("at", sa.Double, nullable=False),
    _text("event"),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Index("events_by_scan", "scan_id", "id"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("vendor"),
    _text("account"),
    _text("topic"),
    _text("subject"),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _text("state"),
    _words("reason"),
    sa.Column("received_at", sa.Double, nullable=False),
    _time("handled_at"),
    sa.Index("inbox_unhandled", "state", "vendor", "topic", "id"),
    sa.Index("inbox_by_subject", "topic", "subject"),
)

quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("granted", sa.BigInteger, nullable=False, default=0),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    _time("cooldown_until"),
    _words("cooldown_reason"),
    _flag("cooldown_needs_person"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Index("tokens_by_end", "vendor", "account", "expires_at"),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("cause", sa.Text, primary_key=True),
    _text("title"),
    _text("reason"),
    _text("command"),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("names", sa.JSON, nullable=False),
    sa.Column("began_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    _flag("over"),
    _time("sent_at"),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    _text("problem", default=""),
    sa.Column("lease_owner", sa.Text),
    _time("lease_until"),
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    _text("reason"),
    sa.Column("at", sa.Double, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("scan", sa.Text, primary_key=True),
    _text("reason"),
    sa.Column("at", sa.Double, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)
