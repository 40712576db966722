"""Beyond one machine, with Ray: services with many replicas.

`serve` puts the mpg and image services on Ray Serve. It starts Ray on this machine by itself, or
joins a cluster by its address. Ray is an extra: ``pip install "networks-at-work[scale]"``.
"""

from course_utils.serving.ray.services import Deployment, serve

__all__ = ["Deployment", "serve"]
