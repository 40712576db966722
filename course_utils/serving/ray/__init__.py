"""Beyond one machine, with Ray: services with many replicas, drift of large tables.

`serve` puts the mpg and image services on Ray Serve; `drift.compare_files` looks for drift on Ray
Data. Both start Ray on this machine by themselves, or join a cluster by its address; within
`joined` it stays for several of them. Ray is an extra: ``pip install "networks-at-work[scale]"``.

What concerns drift is imported by itself: Serve's processes load this package, and need none of it.
"""

from course_utils.serving.ray.cluster import joined
from course_utils.serving.ray.services import Deployment, serve

__all__ = ["Deployment", "joined", "serve"]
