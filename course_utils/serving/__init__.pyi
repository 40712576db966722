from . import ports as ports
from . import production as production
from . import ray as ray
from .notebook import Server as Server
from .notebook import launch as launch
from .notebook import run_with_ngrok as run_with_ngrok
