"""What is the Postgres driver's own: COPY, and connections that give up on a silent server."""
