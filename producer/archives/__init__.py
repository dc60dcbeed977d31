"""Archives that somebody brought: read by ranges where they lie, and taken apart within limits."""
