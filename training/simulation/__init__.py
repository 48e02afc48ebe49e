"""A simulated portfolio whose true risk is known exactly, so that a model can be judged against the best possible.

mechanisms.py names the ways in which clients are lost and chain.py holds what decides a loss; behaviour.py, made of
openings.py, endings.py and traits.py, says what an account shows of its condition; walk.py, beginning.py and
attending.py let it live; truth.py works out the risk; tables.py, hidden.py and write.py make a data set of it.
"""

from training.simulation.write import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
