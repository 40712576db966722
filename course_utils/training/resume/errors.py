"""Why a training cannot begin or go on; each message also says what to do."""


class ResumeError(Exception):
    """The training cannot begin or go on."""


class RunMismatch(ResumeError):
    """The model, the data or an argument is not the one the run began with."""


class ExactnessError(ResumeError):
    """Nobody can promise that this training goes on exactly."""


class ReadError(ResumeError):
    """There are checkpoints, but none of them is intact."""


class WriteError(ResumeError):
    """A checkpoint could not be written. The earlier ones are intact."""
