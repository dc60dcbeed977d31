"""asks: what one image is asked, how a batch is read, and what decides between instances.

Expand only: columns that may be NULL, or have a default.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

_REAL = sa.Float().with_variant(sa.REAL(), 'postgresql')

_INSTANCES = (
    ('against', _REAL),
    ('contended', _REAL),
    ('contender', sa.SmallInteger()),
    ('object_index', sa.SmallInteger()),
    ('predicted_iou', _REAL),
)


def upgrade() -> None:
    op.add_column('batches', sa.Column('reading', sa.JSON(), nullable=True))
    op.add_column('jobs', sa.Column('prompts', sa.JSON(), nullable=True))
    for name, kind in _INSTANCES:
        op.add_column('instances', sa.Column(name, kind, nullable=True))
    op.add_column(
        'workers', sa.Column('abilities', sa.String(), server_default='', nullable=False)
    )


def downgrade() -> None:
    op.drop_column('workers', 'abilities')
    for name, _ in reversed(_INSTANCES):
        op.drop_column('instances', name)
    op.drop_column('jobs', 'prompts')
    op.drop_column('batches', 'reading')
