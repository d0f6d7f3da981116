"""courtbook: a runbook that is executed instead of followed."""

__version__ = "0.1.0"
