"""The queries, one a module."""
