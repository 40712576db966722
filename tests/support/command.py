"""The command ``course``, as it is typed in a wide window."""

from click.testing import CliRunner, Result

from course_utils.cli import main


def course(*words: object) -> Result:
    return CliRunner().invoke(main, [*map(str, words)], env={"COLUMNS": "200"})
