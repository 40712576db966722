"""Stands in for a machine without the course: whoever imports it learns that it is not there."""

raise ModuleNotFoundError("No module named 'course_utils'", name="course_utils")
