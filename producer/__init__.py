"""Everything on the submitting side: sources, submit, dispatch, results, exports, the CLI."""
