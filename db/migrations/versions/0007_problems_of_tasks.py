"""why a task failed, as a code and parameters beside its sentence.

Pages say it in their reader's language. Rows from before have none, and code of the schema before
writes the sentence alone.

Expand only: a new column that may be NULL.

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
    op.add_column('tasks', sa.Column('problem', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('tasks', 'problem')
