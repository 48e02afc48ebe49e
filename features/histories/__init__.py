"""Checked tables and the sorted history of an account that is built from them."""
