"""the glossary: words that a team, or the whole pool, lays over the shipped ones.

Expand only: new tables.

Revision: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('glossaries',
        sa.Column('scope', sa.Uuid(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('scope', name='pk_glossaries')
    )
    op.create_table('glossary_words',
        sa.Column('scope', sa.Uuid(), nullable=False),
        sa.Column('key', sa.String(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('word', sa.String(), nullable=False),
        sa.Column('english', sa.String(), nullable=True),
        sa.Column('user_id', _BIG_ID, nullable=True),
        sa.Column('user_name', sa.String(), server_default='', nullable=False),
        sa.Column('at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('scope', 'key', 'kind', 'version', name='pk_glossary_words')
    )


def downgrade() -> None:
    op.drop_table('glossary_words')
    op.drop_table('glossaries')
