"""Execute notebooks from a terminal (``course run``)."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def find(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The notebooks of ``folder`` that are named; all if none is.

    Args:
        folder: where they lie.
        names: a number (``"02"`` or ``"2"``), or a part of the file's name, of which the first
            notebook is taken that has it (``"mpg"``).

    Raises:
        ValueError: a name that no notebook has.
    """
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ValueError(f"no notebooks in {folder}")
    wanted = []
    for name in names:
        part = Path(name).name.lower().zfill(2)
        path = next((path for path in found if part in path.name.lower()), None)
        if not path:
            there = ", ".join(path.stem for path in found)
            raise ValueError(f"no notebook {name} in {folder}; there are: {there}")
        wanted.append(path)
    return wanted or found


def execute(
    path: Path,
    *,
    save: bool,
    on_cell: Callable[[int, int], None],
    environment: Mapping[str, str] | None = None,
    cell_timeout_s: int | None = 600,
) -> float:
    """Run every cell of a notebook, in the notebook's own folder.

    Args:
        path: the notebook.
        save: keep the outputs in the file.
        on_cell: called with the number of cells done and their total.
        environment: variables that the notebook finds set, besides those of this process.
        cell_timeout_s: that a cell may take; None for no limit.

    Returns:
        seconds it took.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; says which and why.
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    total = len(notebook.cells)
    stopped: list[bool] = []
    client = _choose_client(stopped)(
        notebook,
        timeout=cell_timeout_s,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # it tells of ports, and of signals
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda cell, cell_index, execute_reply: on_cell(cell_index + 1, total),
    )
    on_cell(0, total)
    began = time.perf_counter()
    # ipykernel then leaves what C++ code prints to the terminal: it differs from run to run.
    own = {"PYTEST_CURRENT_TEST": "record", **(environment or {})}
    try:
        client.execute(env=os.environ | own)
    except BaseException:  # a cancelled wait is, to nbclient, a kernel that died
        if stopped:
            raise KeyboardInterrupt from None
        raise
    on_cell(total, total)  # the last cell may be a text, of which nbclient tells nothing
    if save:
        notebook.metadata["language_info"] = {"name": "python"}  # no version: no needless change
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return time.perf_counter() - began


def _choose_client(stopped: list[bool]) -> Any:
    """A class of clients that stop on a signal, and note it in ``stopped``."""
    from nbclient import NotebookClient

    class Client(NotebookClient):
        async def async_start_new_kernel(self, **kwargs: Any) -> None:
            """Replace nbclient's handlers, which end the kernel and go on without it."""
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            with contextlib.suppress(RuntimeError):  # Windows, or not the main thread
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, lambda: stopped.append(task.cancel()))
            await super().async_start_new_kernel(**kwargs)

    return Client
