"""score blocks: the scores of a large batch's images as arrays, for lists of them.

Expand only: a new table, and a new column that may be NULL.

Revision: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('score_blocks',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('first_seq', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('batch_id', 'version', 'first_seq', name='pk_score_blocks')
    )
    op.add_column('batch_counts', sa.Column('blocks_version', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('batch_counts', 'blocks_version')
    op.drop_table('score_blocks')
