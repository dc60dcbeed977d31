"""The kinds of sources, one module a kind; ``producer.manifest`` chooses among them."""
