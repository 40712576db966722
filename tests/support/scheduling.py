"""How tests are shared out to pytest-xdist's workers: by file, and notebooks one by one.

The tests of a file stay together, to share what the file sets up once.
"""

from xdist.scheduler import LoadScopeScheduling

NOTEBOOKS = "tests/notebooks/test_offline_run.py"


class ByFile(LoadScopeScheduling):
    """Sends whole files to the workers; of the offline run, single notebooks."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file == NOTEBOOKS else file
