"""What tests of several rooms share; benchmarks use some of it, too."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
