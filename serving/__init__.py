"""A trained champion answers requests and fills reports."""
