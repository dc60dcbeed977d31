"""The Studio's pages in a real Chromium, before a real server or a whole pool."""
