"""Judgements on an account from its indicators alone, without any model: scorecards and warmth."""
