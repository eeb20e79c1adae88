"""What earlier runs said: an index over the ledgers of a reports folder, and the questions that reports ask of it."""

from harness.history.flips import Flips
from harness.history.history import History
from harness.history.past import PastRun, Sighting, Strip

__all__ = ["Flips", "History", "PastRun", "Sighting", "Strip"]
