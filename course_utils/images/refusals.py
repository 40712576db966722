"""What is said to a person whose file or URL is not taken."""


class Refusal(ValueError):
    """Says what is wrong, what was received and what is allowed; never repeats the input."""

    def __init__(self, detail: str, received: str, allowed: str):
        super().__init__(f"{detail} Received: {received}. Allowed: {allowed}.")
        self.detail = detail
        self.received = received
        self.allowed = allowed
