"""Erasing people, accounts and old records from a store; the rules stand in ``docs/erasure.md``."""
