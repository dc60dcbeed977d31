"""What only the Postgres driver can do: COPY, and giving up on a silent server."""
