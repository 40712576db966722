"""Stand-in for ``google.colab.userdata``: Colab's Secrets."""

secrets = {}  # what the user has stored
hidden = set()  # names whose notebook access is switched off
answering = True  # False where no Colab page is open


class SecretNotFoundError(Exception):
    def __init__(self, key):
        super().__init__(f"Secret {key} does not exist.")


class NotebookAccessError(Exception):
    def __init__(self, key):
        super().__init__(f"Notebook does not have access to secret {key}")


class TimeoutException(Exception):
    def __init__(self, key):
        super().__init__(f"Requesting secret {key} timed out.")


def get(key):
    if not answering:
        raise TimeoutException(key)
    if key not in secrets:
        raise SecretNotFoundError(key)
    if key in hidden:
        raise NotebookAccessError(key)
    return secrets[key]
