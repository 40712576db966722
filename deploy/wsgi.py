"""The MPG service for servers that ask for a WSGI callable named ``application`` (PEP 3333).

gunicorn (gunicorn.conf.py) and Apache with mod_wsgi (apache/networks-at-work.conf) load this file
in each of their workers. It serves the model that the variable COURSE_MODEL names, else the one
that the course ships; the user that such a server runs as has no home to look for one in.
"""

import gc
import os
import tempfile
from pathlib import Path

# Workers share their metrics by way of a folder, which has to be named before prometheus_client is
# imported. gunicorn.conf.py names it; elsewhere the workers' parent does, the same for all.
metrics = Path(tempfile.gettempdir()) / f"course-metrics-{os.getppid()}"
metrics = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(metrics)))
metrics.mkdir(exist_ok=True)

from course_utils.inference import shipped_model  # noqa: E402
from course_utils.services.mpg import create_app  # noqa: E402

application = create_app(os.environ.get("COURSE_MODEL") or shipped_model("mpg"))
# Loaded to stay: collections of garbage need not look through it, which would stop all requests.
gc.collect()
gc.freeze()
