"""Where all commands talk to people."""

from rich.console import Console

console = Console()
