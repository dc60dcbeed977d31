"""first tables.

Revision: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('instances',
    sa.Column('batch_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('ordinal', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('prompt_index', sa.SmallInteger(), nullable=False),
    sa.Column('x', sa.Integer(), nullable=False),
    sa.Column('y', sa.Integer(), nullable=False),
    sa.Column('w', sa.Integer(), nullable=False),
    sa.Column('h', sa.Integer(), nullable=False),
    sa.Column('area', sa.Integer(), nullable=False),
    sa.Column('score', sa.Float().with_variant(sa.REAL(), 'postgresql'), nullable=False),
    sa.Column('overlap', sa.Float().with_variant(sa.REAL(), 'postgresql'), nullable=False),
    sa.Column('clip_score', sa.Float().with_variant(sa.REAL(), 'postgresql'), nullable=True),
    sa.Column('verdict', sa.SmallInteger(), nullable=True),
    sa.PrimaryKeyConstraint('batch_id', 'seq', 'ordinal', name=op.f('pk_instances')),
    sqlite_with_rowid=False
    )
    op.create_table('jobs',
    sa.Column('batch_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('image_uri', sa.String(), nullable=False),
    sa.Column('state', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('next_at', sa.BigInteger(), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('losses', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('solo', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('masks_key', sa.String(), nullable=True),
    sa.Column('masks_offset', sa.Integer(), nullable=True),
    sa.Column('masks_length', sa.Integer(), nullable=True),
    sa.Column('width', sa.Integer(), nullable=True),
    sa.Column('height', sa.Integer(), nullable=True),
    sa.Column('n_instances', sa.Integer(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('batch_id', 'seq', name=op.f('pk_jobs')),
    postgresql_with={'fillfactor': 50},
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.create_index('ix_jobs_due', ['batch_id', 'next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'), sqlite_where=sa.text('next_at IS NOT NULL'))

    op.create_table('users',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('role', sa.String(), server_default='labeler', nullable=False),
    sa.Column('weight', sa.Double(), server_default='1', nullable=False),
    sa.Column('token_hash', sa.String(), nullable=True),
    sa.Column('virtual_time', sa.Double(), server_default='0', nullable=False),
    sa.CheckConstraint('weight > 0', name=op.f('ck_users_weight')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('name', name=op.f('uq_users_name'))
    )
    op.create_table('workers',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(), server_default='', nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.Column('device', sa.String(), server_default='', nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('threads', sa.SmallInteger(), server_default='3', nullable=False),
    sa.Column('images_per_s', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_workers'))
    )
    op.create_table('batches',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('owner_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('idempotency_key', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('state', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('klass', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('priority', sa.String(), server_default='normal', nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('spec', sa.JSON(), nullable=False),
    sa.Column('source', sa.String(), server_default='', nullable=False),
    sa.Column('total', sa.Integer(), server_default='0', nullable=False),
    sa.Column('loaded', sa.Integer(), server_default='0', nullable=False),
    sa.Column('next_seq', sa.Integer(), server_default='0', nullable=False),
    sa.Column('done', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('gpu_seconds', sa.Double(), server_default='0', nullable=False),
    sa.Column('virtual_time', sa.Double(), server_default='0', nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('finished_at', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('done >= 0 AND failed >= 0 AND done + failed <= total', name=op.f('ck_batches_counters')),
    sa.CheckConstraint('next_seq <= total OR state = 0', name=op.f('ck_batches_next_seq')),
    sa.ForeignKeyConstraint(['owner_id'], ['users.id'], name=op.f('fk_batches_owner_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_batches')),
    sa.UniqueConstraint('owner_id', 'idempotency_key', name=op.f('uq_batches_owner_id'))
    )
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.create_index('ix_batches_live', ['state'], unique=False, postgresql_where=sa.text('state IN (1, 2)'), sqlite_where=sa.text('state IN (1, 2)'))

    op.create_table('chunks',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('batch_id', sa.Uuid(), nullable=False),
    sa.Column('lo', sa.Integer(), server_default='0', nullable=False),
    sa.Column('hi', sa.Integer(), server_default='0', nullable=False),
    sa.Column('seqs', sa.ARRAY(sa.Integer()).with_variant(sa.JSON(none_as_null=True), 'sqlite'), nullable=True),
    sa.Column('size', sa.SmallInteger(), nullable=False),
    sa.Column('solo', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('state', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('worker', sa.Uuid(), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('published_at', sa.BigInteger(), nullable=True),
    sa.Column('publishes', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('done', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('failed', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('gpu_seconds', sa.Double(), server_default='0', nullable=False),
    sa.Column('charged', sa.Double(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['batches.id'], name=op.f('fk_chunks_batch_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_chunks'))
    )
    with op.batch_alter_table('chunks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_chunks_batch_id'), ['batch_id'], unique=False)




def downgrade() -> None:

    with op.batch_alter_table('chunks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_chunks_batch_id'))

    op.drop_table('chunks')
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.drop_index('ix_batches_live', postgresql_where=sa.text('state IN (1, 2)'), sqlite_where=sa.text('state IN (1, 2)'))

    op.drop_table('batches')
    op.drop_table('workers')
    op.drop_table('users')
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_index('ix_jobs_due', postgresql_where=sa.text('next_at IS NOT NULL'), sqlite_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('jobs')
    op.drop_table('instances')

