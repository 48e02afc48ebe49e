"""Which settings are chosen."""

from __future__ import annotations

import numpy as np

from training.fitting import _surely_less

GROUP = np.repeat(np.arange(50), 2)


def test_a_difference_within_chance_does_not_count() -> None:
    dice = np.random.default_rng(3)
    usual = dice.random(100)
    assert not _surely_less(usual, usual, GROUP)
    # Better by the same little everywhere is sure; better by luck in one group alone is not.
    assert _surely_less(usual - 0.01, usual, GROUP)
    lucky = usual.copy()
    lucky[:2] -= 0.5
    assert lucky.sum() < usual.sum()
    assert not _surely_less(lucky, usual + np.where(GROUP % 2, 0.05, -0.05), GROUP)
    assert not _surely_less(usual + 0.01, usual, GROUP)
