"""Who is there and what they may: users, teams, sessions, tokens, grants, and the audit log."""
