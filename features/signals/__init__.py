"""The documented signals, one room per family: its facts and its indicators together.

Importing this package registers every family in ``features.indicators.REGISTRY``.
"""

from features.signals import (
    balance,
    channels,
    commitments,
    contracts,
    dialogue,
    responsiveness,
    service,
    silence,
)

__all__ = [
    "balance",
    "channels",
    "commitments",
    "contracts",
    "dialogue",
    "responsiveness",
    "service",
    "silence",
]
