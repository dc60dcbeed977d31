"""The Studio: the web pages, which use the REST API as anybody may."""
