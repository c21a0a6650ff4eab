"""What a model takes on the machine at hand: time, memory, tokens and calls, as figures that can be compared."""

from agent.evals.bench.figures import Figures
from agent.evals.bench.measuring import Bench, Plan

__all__ = ["Bench", "Figures", "Plan"]
