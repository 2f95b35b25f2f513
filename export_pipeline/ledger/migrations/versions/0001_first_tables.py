"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them all."""
    _accounts()
    _alerts()
    _cursors()
    _holds()
    _inbox()
    _leases()
    _quotas()
    _scans()
    _tokens()
    _tombstones()
    _artifacts()
    _events()
    _generations()
    _orders()
    _reports()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("cooldown_until", sa.Double()),
        sa.Column("cooldown_reason", sa.Text(), nullable=False),
        sa.Column("cooldown_needs_person", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "account", name="accounts_pkey"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.Double()),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.PrimaryKeyConstraint("cause", name="alerts_pkey"),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="cursors_pkey"),
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "account", "scan", name="holds_pkey"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("handled_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="inbox_pkey"),
    )
    op.create_index("inbox_by_subject", "inbox", ["topic", "subject"])
    op.create_index("inbox_unhandled", "inbox", ["state", "vendor", "topic", "id"])


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pkey"),
    )


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "account", "name", name="quotas_pkey"),
    )


def _scans() -> None:
    op.create_table(
        "scans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("admitted_at", sa.Double()),
        sa.Column("retired_at", sa.Double()),
        sa.Column("activate", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="scans_pkey"),
        sa.UniqueConstraint("vendor", "account", "scan", name="scans_vendor_account_scan_key"),
    )
    op.create_index("scans_by_admission", "scans", ["vendor", "admitted_at"])
    op.create_index("scans_by_end", "scans", ["vendor", "state", "expires_at", "id"])
    op.create_index("scans_by_state", "scans", ["vendor", "state", "id"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "account", "name", name="tokens_pkey"),
    )
    op.create_index("tokens_by_end", "tokens", ["vendor", "account", "expires_at"])


def _tombstones() -> None:
    op.create_table(
        "tombstones",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="tombstones_pkey"),
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("vendor_name", sa.Text(), nullable=False),
        sa.Column("availability", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("order_id", sa.String(length=36)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("sha256", sa.String(length=64)),
        sa.Column("content_type", sa.Text()),
        sa.Column("checksum", sa.Text()),
        sa.Column("details", sa.JSON(none_as_null=True)),
        sa.Column("delivered_at", sa.Double()),
        sa.Column("verified_at", sa.Double()),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="artifacts_scan_id_fkey"),
        sa.PrimaryKeyConstraint("scan_id", "generation", "name", name="artifacts_pkey"),
    )
    op.create_index("artifacts_by_order", "artifacts", ["order_id", "name"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=36)),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="events_scan_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="events_pkey"),
    )
    op.create_index("events_by_scan", "events", ["scan_id", "id"])


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("wants_bag", sa.Boolean(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("frozen_at", sa.Double()),
        sa.Column("sealed_at", sa.Double()),
        sa.Column("audited_at", sa.Double()),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("seal_sha256", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON()),
        sa.Column("expires_at", sa.Double()),
        sa.Column("tidy_at", sa.Double()),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="generations_scan_id_fkey"),
        sa.PrimaryKeyConstraint("scan_id", "number", name="generations_pkey"),
    )
    op.create_index("generations_by_state", "generations", ["state", "sealed_at"])
    op.create_index("generations_in_order", "generations", ["state", "scan_id", "number"])
    op.create_index("generations_to_tidy", "generations", ["tidy_at"])


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("queue_class", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("sent_at", sa.Double()),
        sa.Column("deadline", sa.Double()),
        sa.Column("completed_at", sa.Double()),
        sa.Column("closed_at", sa.Double()),
        sa.Column("completion", sa.JSON(none_as_null=True)),
        sa.Column("request_id", sa.Text()),
        sa.Column("vendor_order", sa.Text()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="orders_scan_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="orders_pkey"),
        sa.UniqueConstraint(
            "scan_id",
            "generation",
            "part",
            "attempt",
            name="orders_scan_id_generation_part_attempt_key",
        ),
    )
    op.create_index("orders_by_scan", "orders", ["scan_id", "generation"])
    op.create_index(
        "orders_in_queue",
        "orders",
        ["state", "vendor", "account", "queue_class", "expires_at", "queued_at"],
    )


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("reported_at", sa.Double()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="reports_scan_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="reports_pkey"),
    )
    op.create_index("reports_by_scan", "reports", ["scan_id", "reported_at"])
    op.create_index("reports_outstanding", "reports", ["vendor", "reported_at", "id"])
