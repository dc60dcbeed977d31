"""Reading a batch back as a stream of records."""
