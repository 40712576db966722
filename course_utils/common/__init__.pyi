from . import atomic_files as atomic_files
from . import duckdb_session as duckdb_session
from . import notebooks as notebooks
from .atomic_files import LOCK_TIMEOUT_S as LOCK_TIMEOUT_S
from .atomic_files import hash_file as hash_file
from .atomic_files import machine_lock as machine_lock
from .csv_files import check_csv as check_csv
from .figures import show_figure as show_figure
