"""Histories in, indicators out: facts, windows, indicators and the matrix. Knows no model."""
