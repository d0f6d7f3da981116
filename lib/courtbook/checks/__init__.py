"""Declared checks, their results and the verdict over them."""
