"""How tests are shared out to pytest-xdist's workers: by file, and notebooks one by one.

The tests of a file stay together, to share what the file sets up once.
"""

from xdist.scheduler import LoadScopeScheduling

NOTEBOOKS = "tests/notebooks/test_offline_run.py"
RAY = "tests/serving/ray"  # two clusters would look for the same free ports


class ByFile(LoadScopeScheduling):
    """Sends whole files to the workers, those of Ray together; notebooks one by one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(RAY):
            return RAY
        return nodeid if file == NOTEBOOKS else file
