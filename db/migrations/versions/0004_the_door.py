"""the door: who is there, what they may, what they bring, and what the clerk does for them.

Expand only: new tables, and columns that may be NULL or have a default.

Revision: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
_OPEN = {
    'postgresql_where': sa.text('state IN (0, 1)'),
    'sqlite_where': sa.text('state IN (0, 1)'),
}

_REFUSED = 'the audit log only grows'


def upgrade() -> None:
    op.create_table('audit_log',
        sa.Column('id', _BIG_ID, nullable=False),
        sa.Column('at', sa.BigInteger(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=True),
        sa.Column('user_name', sa.String(), server_default='', nullable=False),
        sa.Column('action', sa.String(), nullable=False),
        sa.Column('target', sa.String(), server_default='', nullable=False),
        sa.Column('detail', sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint('id', name='pk_audit_log')
    )
    op.create_index('ix_audit_log_at', 'audit_log', ['at'], unique=False)
    op.create_table('batch_counts',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('begun', sa.Integer(), server_default='0', nullable=False),
        sa.Column('version', sa.Integer(), nullable=True),
        sa.Column('finished_at', sa.BigInteger(), nullable=True),
        sa.Column('rule', sa.String(), server_default='', nullable=False),
        sa.Column('thresholds', sa.String(), server_default='', nullable=False),
        sa.Column('images', sa.Integer(), server_default='0', nullable=False),
        sa.PrimaryKeyConstraint('batch_id', name='pk_batch_counts')
    )
    op.create_table('score_counts',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('prompt_index', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('hundredth', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('images', sa.Integer(), nullable=False),
        sa.Column('instances', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('batch_id', 'prompt_index', 'hundredth', name='pk_score_counts'),
        sqlite_with_rowid=False
    )
    op.create_table('uncertainties',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('distance', sa.Float(), nullable=False),
        sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint('batch_id', 'version', 'distance', 'seq', name='pk_uncertainties'),
        sqlite_with_rowid=False
    )
    op.create_table('reading_changes',
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('reading', sa.JSON(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=True),
        sa.Column('at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('batch_id', 'version', name='pk_reading_changes')
    )
    op.create_table('teams',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_teams'),
        sa.UniqueConstraint('name', name='uq_teams_name')
    )
    op.create_table('upload_files',
        sa.Column('upload_id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('size', sa.BigInteger(), nullable=True),
        sa.Column('sha256', sa.String(), nullable=True),
        sa.PrimaryKeyConstraint('upload_id', 'name', name='pk_upload_files')
    )
    op.create_table('idempotency',
        sa.Column('user_id', _BIG_ID, nullable=False),
        sa.Column('key', sa.String(), nullable=False),
        sa.Column('route', sa.String(), nullable=False),
        sa.Column('request_hash', sa.String(), nullable=False),
        sa.Column('status', sa.SmallInteger(), nullable=True),
        sa.Column('answer', sa.JSON(), nullable=True),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_idempotency_user_id'),
        sa.PrimaryKeyConstraint('user_id', 'key', name='pk_idempotency')
    )
    op.create_index('ix_idempotency_created_at', 'idempotency', ['created_at'], unique=False)
    op.create_table('memberships',
        sa.Column('user_id', _BIG_ID, nullable=False),
        sa.Column('team_id', sa.Uuid(), nullable=False),
        sa.Column('role', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name='fk_memberships_team_id'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_memberships_user_id'),
        sa.PrimaryKeyConstraint('user_id', 'team_id', name='pk_memberships')
    )
    op.create_table('sessions',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=False),
        sa.Column('secret_hash', sa.String(), nullable=False),
        sa.Column('agent', sa.String(), server_default='', nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.Column('seen_at', sa.BigInteger(), nullable=False),
        sa.Column('expires_at', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_sessions_user_id'),
        sa.PrimaryKeyConstraint('id', name='pk_sessions'),
        sa.UniqueConstraint('secret_hash', name='uq_sessions_secret_hash')
    )
    op.create_index('ix_sessions_user_id', 'sessions', ['user_id'], unique=False)
    op.create_table('source_grants',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('team_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('place', sa.String(), nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('bucket', 'host')", name=op.f('ck_source_grants_kind')),
        sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name='fk_source_grants_team_id'),
        sa.PrimaryKeyConstraint('id', name='pk_source_grants'),
        sa.UniqueConstraint('team_id', 'kind', 'place', name='uq_source_grants_team_id')
    )
    op.create_index('ix_source_grants_team_id', 'source_grants', ['team_id'], unique=False)
    op.create_table('tasks',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=True),
        sa.Column('team_id', sa.Uuid(), nullable=True),
        sa.Column('batch_id', sa.Uuid(), nullable=True),
        sa.Column('args', sa.JSON(), nullable=False),
        sa.Column('state', sa.SmallInteger(), server_default='0', nullable=False),
        sa.Column('lease_id', sa.Uuid(), nullable=True),
        sa.Column('lease_until', sa.BigInteger(), nullable=True),
        sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
        sa.Column('next_at', sa.BigInteger(), nullable=True),
        sa.Column('published_at', sa.BigInteger(), nullable=True),
        sa.Column('progress', sa.JSON(), nullable=True),
        sa.Column('result', sa.JSON(), nullable=True),
        sa.Column('error', sa.String(), nullable=True),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.Column('finished_at', sa.BigInteger(), nullable=True),
        sa.Column('expires_at', sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name='fk_tasks_team_id'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_tasks_user_id'),
        sa.PrimaryKeyConstraint('id', name='pk_tasks')
    )
    op.create_index('ix_tasks_batch_id', 'tasks', ['batch_id'], unique=False)
    op.create_index('ix_tasks_open', 'tasks', ['state'], unique=False, **_OPEN)
    op.create_index('ix_tasks_user_id', 'tasks', ['user_id'], unique=False)
    op.create_table('tokens',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('prefix', sa.String(), nullable=False),
        sa.Column('secret_hash', sa.String(), nullable=False),
        sa.Column('scopes', sa.String(), nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.Column('expires_at', sa.BigInteger(), nullable=True),
        sa.Column('used_at', sa.BigInteger(), nullable=True),
        sa.Column('revoked_at', sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_tokens_user_id'),
        sa.PrimaryKeyConstraint('id', name='pk_tokens'),
        sa.UniqueConstraint('secret_hash', name='uq_tokens_secret_hash')
    )
    op.create_index('ix_tokens_user_id', 'tokens', ['user_id'], unique=False)
    op.create_table('uploads',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', _BIG_ID, nullable=False),
        sa.Column('team_id', sa.Uuid(), nullable=True),
        sa.Column('name', sa.String(), server_default='', nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.Column('expires_at', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name='fk_uploads_team_id'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_uploads_user_id'),
        sa.PrimaryKeyConstraint('id', name='pk_uploads')
    )
    op.create_index('ix_uploads_expires_at', 'uploads', ['expires_at'], unique=False)
    op.create_index('ix_uploads_user_id', 'uploads', ['user_id'], unique=False)
    op.create_table('upload_uses',
        sa.Column('upload_id', sa.Uuid(), nullable=False),
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(['upload_id'], ['uploads.id'], name='fk_upload_uses_upload_id'),
        sa.PrimaryKeyConstraint('upload_id', 'batch_id', name='pk_upload_uses')
    )
    op.create_index('ix_upload_uses_batch_id', 'upload_uses', ['batch_id'], unique=False)
    op.create_table('kept',
        sa.Column('from_batch_id', sa.Uuid(), nullable=False),
        sa.Column('from_seq', sa.Integer(), nullable=False),
        sa.Column('batch_id', sa.Uuid(), nullable=False),
        sa.Column('seq', sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint('from_batch_id', 'from_seq', 'batch_id', name='pk_kept')
    )
    op.create_index('ix_kept_batch_id', 'kept', ['batch_id'], unique=False)
    op.add_column('batches', sa.Column('team_id', sa.Uuid(), nullable=True))
    op.add_column('batches', sa.Column('scratch', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('batches', sa.Column('deleted_at', sa.BigInteger(), nullable=True))
    op.add_column('users', sa.Column('password_hash', sa.String(), nullable=True))
    op.add_column('users', sa.Column('admin', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('users', sa.Column('deactivated_at', sa.BigInteger(), nullable=True))
    _refuse_changes_of_the_log()


def _refuse_changes_of_the_log() -> None:
    if op.get_bind().dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            op.execute(
                f'CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log '
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
        return
    op.execute(
        'CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ '
        f"BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
    )
    op.execute(
        'CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()'
    )


def downgrade() -> None:
    op.drop_column('users', 'deactivated_at')
    op.drop_column('users', 'admin')
    op.drop_column('users', 'password_hash')
    op.drop_column('batches', 'deleted_at')
    op.drop_column('batches', 'scratch')
    op.drop_column('batches', 'team_id')
    op.drop_index('ix_kept_batch_id', table_name='kept')
    op.drop_table('kept')
    op.drop_index('ix_upload_uses_batch_id', table_name='upload_uses')
    op.drop_table('upload_uses')
    op.drop_index('ix_uploads_user_id', table_name='uploads')
    op.drop_index('ix_uploads_expires_at', table_name='uploads')
    op.drop_table('uploads')
    op.drop_index('ix_tokens_user_id', table_name='tokens')
    op.drop_table('tokens')
    op.drop_index('ix_tasks_user_id', table_name='tasks')
    op.drop_index('ix_tasks_open', table_name='tasks', **_OPEN)
    op.drop_index('ix_tasks_batch_id', table_name='tasks')
    op.drop_table('tasks')
    op.drop_index('ix_source_grants_team_id', table_name='source_grants')
    op.drop_table('source_grants')
    op.drop_index('ix_sessions_user_id', table_name='sessions')
    op.drop_table('sessions')
    op.drop_table('memberships')
    op.drop_index('ix_idempotency_created_at', table_name='idempotency')
    op.drop_table('idempotency')
    op.drop_table('upload_files')
    op.drop_table('teams')
    op.drop_table('reading_changes')
    op.drop_table('uncertainties')
    op.drop_table('score_counts')
    op.drop_table('batch_counts')
    op.drop_index('ix_audit_log_at', table_name='audit_log')
    op.drop_table('audit_log')
    if op.get_bind().dialect.name != 'sqlite':
        op.execute('DROP FUNCTION audit_log_refuse()')
