"""The door: REST API and pages over the use cases of ``producer``."""
