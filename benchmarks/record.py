"""What keeping the examples costs the MPG service: requests a second with and without.

    python -m benchmarks.record [--rounds 7] [--seconds 4]

Both are up at once and loaded in turns, so that a busy moment of the host meets both. Exits with
an error where less than 85 % of the speed is left, or the folder outgrows its limit.
"""

import functools
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.compare import Found, in_turns, main
from benchmarks.wrk import measure
from course_utils.inference.request_log import MAX_FILE_BYTES, MAX_FULL_FILES
from tests.support.serving import CAR, COURSE, MODEL, running

WORKERS = 2
MAX_FOLDER_BYTES = MAX_FULL_FILES * MAX_FILE_BYTES
COMMAND = [str(COURSE), "serve", "mpg", "--model", str(MODEL)]
WITHOUT = f"course serve mpg --workers {WORKERS}"
OURS = f"{WITHOUT} --record FOLDER"


def run(rounds: int, seconds: int) -> Found:
    body = json.dumps(CAR).encode()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(COMMAND, workers=WORKERS) as without,
        running([*COMMAND, "--record", folder], workers=WORKERS) as recording,
    ):
        measures = {
            name: functools.partial(measure, f"{served.url}/api/mpg", body, "application/json")
            for name, served in ((WITHOUT, without), (OURS, recording))
        }
        found = in_turns(measures, rounds, seconds)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"The folder holds {size / 2**20:.2f} MiB of {MAX_FOLDER_BYTES / 2**20:.0f}.")
        if not MAX_FOLDER_BYTES / 2 < size <= MAX_FOLDER_BYTES:
            sys.exit("The folder is not bounded as it should be.")
    return found


if __name__ == "__main__":
    main(run, path="/api/mpg", ours=OURS, targets={WITHOUT: 0.85}, about=str(__doc__))
