"""Why a training cannot begin or go on; each message also says what to do."""


class ResumeError(Exception):
    """The training cannot begin, cannot go on, or cannot be promised to go on exactly."""


class RunMismatch(ResumeError):
    """The model, the data or an argument is not the one the run began with."""
