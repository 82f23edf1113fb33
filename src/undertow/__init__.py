"""Undertow: knows when an LLM provider changes under you."""

__version__ = "0.1.0"
