"""the audit log: SQLite's INSERT OR REPLACE takes no line away either.

It deletes the line whose id it takes, and triggers on deletions do not see that. Nothing else
changes, and no one's insert: they leave the id to the database.

Revision: 0008
Revises: 0007
"""

from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        op.execute(
            'CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log '
            'WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) '
            "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        op.execute('DROP TRIGGER IF EXISTS audit_log_no_replace')
