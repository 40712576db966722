"""Stand-in for ``google.colab.output``: shows a port of this machine below the cell."""

import sys

calls = []  # the port of each page shown


def serve_kernel_port_as_iframe(
    port, path="/", width="100%", height="400", cache_in_notebook=False
):
    """Colab reaches the port through its proxy; here it is the browser's own machine."""
    calls.append(port)
    if "IPython" in sys.modules:
        from IPython.display import IFrame, display

        display(IFrame(f"http://127.0.0.1:{port}{path}", width, height))
