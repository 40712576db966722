"""What is said to a person whose file or URL is not taken."""


class Refusal(ValueError):
    """Says to a person what is wrong, what was received, what is allowed; repeats no input."""

    def __init__(self, detail: str, received: str, allowed: str):
        super().__init__(f"{detail} Received: {received}. Allowed: {allowed}.")
        self.detail = detail
        self.received = received
        self.allowed = allowed


class BadImage(Refusal):
    """The bytes are not an image that is read here; says why to a person, never what they are."""


def report_damage(received: str = "an image whose inside is damaged") -> BadImage:
    """The error for a file that cannot be decoded."""
    allowed = "an undamaged file; open it and save it anew"
    return BadImage("The image cannot be decoded.", received, allowed)


def report_truncation() -> BadImage:
    """The error for a file that lacks its end."""
    detail = "The image is truncated: the file ends before the picture does."
    return BadImage(detail, "a part of an image", "the whole file; send it again")
