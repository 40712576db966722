"""A kernel that does not run a notebook's cells, but sends what the notebook has stored for them.

With it, what nbval says of a changed notebook is known in seconds: that the stored outputs are
what the cells really give, the offline run proves.

    python replay.py NOTEBOOK -f CONNECTION_FILE
"""

import sys
from typing import Any, ClassVar

import nbformat
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel


class Replay(Kernel):
    implementation, implementation_version, banner = "replay", "1", ""
    language_info: ClassVar = {
        "name": "python",
        "mimetype": "text/x-python",
        "file_extension": ".py",
    }
    notebook: Any = None

    def __init__(self, **options: Any):
        super().__init__(**options)
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        self.stored = {}
        for cell in cells:
            self.stored.setdefault(cell.source.strip(), []).append(cell.outputs)

    def do_execute(self, code: str, silent: bool, *args: Any, **options: Any) -> dict[str, Any]:
        waiting = self.stored.get(code.strip(), [])
        outputs = waiting.pop(0) if waiting else []
        for output in outputs:
            content = {key: value for key, value in output.items() if key != "output_type"}
            self.send_response(self.iopub_socket, output.output_type, content)
        errors = [each for each in outputs if each.output_type == "error"]
        count = {"execution_count": self.execution_count}
        if not errors:
            return {"status": "ok", "payload": [], "user_expressions": {}, **count}
        names = ("ename", "evalue", "traceback")
        return {"status": "error", **{name: errors[0][name] for name in names}, **count}


if __name__ == "__main__":
    Replay.notebook = nbformat.read(sys.argv.pop(1), as_version=4)
    IPKernelApp.launch_instance(kernel_class=Replay)
