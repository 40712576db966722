from . import monitor as monitor
from .comparison import compare as compare
from .comparison import compare_files as compare_files
from .report import DriftReport as DriftReport
from .verdict import KEEP as KEEP
from .verdict import RETRAIN as RETRAIN
from .verdict import WATCH as WATCH
