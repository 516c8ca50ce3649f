"""What attempts asked for, however their prompts are spelled: our own past is asked by it."""

import hashlib
import json
import re
import unicodedata
from itertools import product

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and fill it; its index takes the place of the fingerprints'."""
    op.add_column("attempt", sa.Column("request_key", sa.Text(), nullable=True))
    op.execute("UPDATE attempt SET request_key = fingerprint")
    _fold()
    op.drop_index("ix_attempt_fingerprint", "attempt")
    op.create_index(
        "ix_attempt_request_key",
        "attempt",
        ["request_key"],
        sqlite_where=sa.text("generation_id IS NOT NULL"),
    )


def _fold() -> None:
    """Hash anew what was asked for in a prompt that folding changes.

    The duration stands in the attempt's kind, the picture in its row alone. Where that has another
    one since, the fingerprint stays.
    """
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT attempt.id, attempt.prompt, attempt.fingerprint, attempt.kind, job.image"
            " FROM attempt JOIN job ON job.id = attempt.job_id"
            " WHERE attempt.fingerprint IS NOT NULL"
        )
    )
    folded = []
    for number, prompt, fingerprint, kind, picture in rows:
        same = " ".join(unicodedata.normalize("NFC", prompt).split())
        if same == prompt:
            continue
        durations = [int(found) for found in re.findall(r"/(\d{1,4})", kind)]
        tried = product(("9:16", "16:9"), durations, {None, _shown(picture)})
        found = [rest for rest in tried if _hashed(prompt, *rest) == fingerprint]
        folded += [{"id": number, "key": _hashed(same, *rest)} for rest in found]
    for one in folded:
        connection.execute(sa.text("UPDATE attempt SET request_key = :key WHERE id = :id"), one)


def _shown(picture: str | None) -> str | None:
    image = json.loads(picture or "null")
    return (image.get("sha256") or image.get("source")) if isinstance(image, dict) else None


def _hashed(*what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
