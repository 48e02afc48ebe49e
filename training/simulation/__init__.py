"""A simulated portfolio whose true risk is known exactly, so that a model can be judged against the best possible.

chain.py holds what decides a loss, behaviour.py what an account shows of its condition, walk.py and acts.py let it
live, truth.py works out the risk, tables.py and write.py make a data set of it.
"""

from training.simulation.write import SimulationSummary, simulate

__all__ = ["SimulationSummary", "simulate"]
