"""Stand-ins for what opens tunnels, and an app to be reached through one."""

from tests.support.tunnels import agent, app, neither_token_nor_agent, sdk, token

__all__ = ["agent", "app", "neither_token_nor_agent", "sdk", "token"]
