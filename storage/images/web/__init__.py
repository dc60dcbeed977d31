"""Images from the web: which URLs, which addresses, one connection, within limits."""
