"""samples: which batches are over some images of their source, and of how many.

Expand only: a column that may be NULL.

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


def downgrade() -> None:
    op.drop_column('batches', 'sample')
