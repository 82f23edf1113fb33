"""Figures beside their limits, measured in one run (CONTRACTS 7)."""
