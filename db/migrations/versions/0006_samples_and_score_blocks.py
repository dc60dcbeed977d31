"""samples, blocks of scores, and an audit log that SQLite's INSERT OR REPLACE leaves whole.

Which batches are over some images of their source, and of how many. The scores of a large batch's
images as arrays, for lists of them. INSERT OR REPLACE deletes the line whose id it takes, and
triggers on deletions do not see that.

Expand only: new columns that may be NULL, a new table, a trigger that no one's insert meets, as
they leave the id to the database.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('batches', sa.Column('sample', sa.JSON(), nullable=True))
    op.create_table('score_blocks',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('first_seq', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('batch_id', 'version', 'first_seq', name='pk_score_blocks')
    )
    op.add_column('batch_counts', sa.Column('blocks_version', sa.Integer(), nullable=True))
    if op.get_bind().dialect.name == 'sqlite':
        op.execute(
            'CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log '
            'WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id) '
            "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        op.execute('DROP TRIGGER IF EXISTS audit_log_no_replace')
    op.drop_column('batch_counts', 'blocks_version')
    op.drop_table('score_blocks')
    op.drop_column('batches', 'sample')
