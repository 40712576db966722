"""Beyond one machine, with Ray: services with many replicas, drift of large tables.

`serve` puts the mpg and image services on Ray Serve; `compare_files` looks for drift on Ray Data.
Both start Ray on this machine by themselves, or join a cluster by its address. Ray is an extra:
``pip install "networks-at-work[scale]"``.
"""

from course_utils.scale.cluster import joined
from course_utils.scale.drift import compare_files
from course_utils.scale.services import Deployment, serve

__all__ = ["Deployment", "compare_files", "joined", "serve"]
