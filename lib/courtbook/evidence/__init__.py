"""Ledger and bundle: what a run leaves behind."""
