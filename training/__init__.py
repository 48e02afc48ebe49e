"""Outcomes, splits, baselines and the training run that is tracked under MLflow."""
