"""Versions of the store's schema (alembic); run at start."""
