import sys
from pathlib import Path

# The benchmarks are no part of the package; they run from the repository.
sys.path.append(str(Path(__file__).parents[3]))
