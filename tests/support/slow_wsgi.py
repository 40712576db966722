"""`slow_service` as deploy/wsgi.py has the real one: for the servers that load a WSGI file."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
if "mod_wsgi" in sys.modules:  # Apache has no standard output; its error log is the other one
    os.dup2(2, 1)

from course_utils.services.http.telemetry import ALONE
from tests.support.slow_service import create

application = create(0.02, ALONE)
