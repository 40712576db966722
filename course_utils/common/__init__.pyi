from . import atomic_files as atomic_files
from . import duckdb_session as duckdb_session
from . import notebooks as notebooks
from . import plots as plots
from .locks import LOCK_TIMEOUT_S as LOCK_TIMEOUT_S
from .locks import machine_lock as machine_lock
