"""Who is who across sources: merged accounts, people who move, one event that two sources tell of.

The rules stand in ``docs/entities.md``. Each is a pure function of rows as they came; none of these is ever rewritten.
"""
