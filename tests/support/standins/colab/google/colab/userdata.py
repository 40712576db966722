"""Stand-in for ``google.colab.userdata``: Colab's Secrets."""

secrets = {}  # what the user has stored
hidden = set()  # names whose notebook access is switched off
answering = True  # False where no Colab page is open


class SecretNotFoundError(Exception):
    pass


class NotebookAccessError(Exception):
    pass


class TimeoutException(Exception):
    pass


def get(key):
    if not answering:
        raise TimeoutException(f"Requesting secret {key} timed out.")
    if key not in secrets:
        raise SecretNotFoundError(f"Secret {key} does not exist.")
    if key in hidden:
        raise NotebookAccessError(f"Notebook does not have access to secret {key}")
    return secrets[key]
