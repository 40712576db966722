"""``python -m course_utils.cli``."""

from course_utils.cli import main

main(prog_name="course")
