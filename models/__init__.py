"""Risk, stage, calibration and explanations learned from a matrix. Knows no histories, no run, no web."""
