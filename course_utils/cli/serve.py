"""``course serve``."""

import webbrowser
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from course_utils.cli.options import ANY_FOLDER, FILE, FOLDER, OneOf
from course_utils.inference import find_model, prepare_folder
from course_utils.inference.pixels import PIXELS
from course_utils.services import SERVICES

MODEL_HELP = """A .keras, .h5 or .tflite file; beside it its .schema.json (mpg) or .labels.json
(image, pets); digit needs nothing beside it. A network of photos takes pixels 0-255 (see --pixels;
digit: 0-1) and returns probabilities."""
STORE_HELP = """A folder of model versions: serve the version that is promoted there, and follow
when that changes. In the place of --model."""
PIXELS_HELP = """How the network wants the pixels of a photo (image, pets): as they are, 0..255, or
scaled. MobileNet, Inception and Xception of Keras were trained on -1..1, VGG and ResNet on caffe; a
network that scales pixels itself takes 0..255.  [default: 0..255]"""
PORT_HELP = "5000; where that is taken, the next free one"
RECORD_HELP = """Keep what is asked in this folder, for `course drift` (mpg only; the newest 4 MB).
What people send is theirs: tell them."""


@click.command()
@click.argument("name", type=OneOf(list(SERVICES)))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address or name to listen on; 0.0.0.0: every machine that can reach this one.",
)
@click.option("--port", default=5000, show_default=PORT_HELP, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--model", type=FILE, help=MODEL_HELP)
@click.option("--pixels", type=click.Choice(list(PIXELS)), help=PIXELS_HELP)
@click.option("--store", type=FOLDER, help=STORE_HELP)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--record", type=ANY_FOLDER, help=RECORD_HELP)
def serve(name: str, host: str, port: int, open_page: bool, **options: Any) -> None:
    """Start a service: hello, mpg, image, digit or pets.

    It runs until Ctrl-C. Takes the model you saved in a notebook, else the one the course ships;
    with --store, the one that is promoted.
    """
    from course_utils.serving import ports, production

    context = click.get_current_context()
    _check_options(name, {option for option, value in context.params.items() if value})
    if options["record"]:
        prepare_folder(options["record"])
        click.echo(f"Recording accepted examples in {options['record']}", err=True)
    options["model"] = _announce_model(name, options["model"], options["store"])
    host = ports.find_address(host)
    if context.get_parameter_source("port") is ParameterSource.DEFAULT:
        wished = port
        with ports.listen([*range(wished, wished + 10)], host) as listener:
            port = listener.getsockname()[1]
        if port != wished:
            click.echo(f"Port {wished} is taken, so the service gets {port}.", err=True)

    def announce() -> None:
        reachable = ports.ANY_ADDRESS.get(host, host)
        reachable = f"[{reachable}]" if ":" in reachable else reachable
        url = f"http://{reachable}:{port}"
        click.echo(f"Serving {name} at {url} - docs at /docs, Ctrl-C stops.", err=True)
        if open_page:
            is_open = webbrowser.open(url)
            said = f"{url} is open in your browser." if is_open else f"Open {url} in a browser."
            click.echo(said, err=True)

    production.serve(name, host=host, port=port, on_ready=announce, **options)


def _check_options(name: str, given: set[str]) -> None:
    if not SERVICES[name].has_model and given & {"model", "store"}:
        raise click.UsageError(f"The {name} service has no model.")
    if {"model", "store"} <= given:
        raise click.UsageError("Give --model or --store, not both.")
    if "pixels" in given and not SERVICES[name].takes_pixels:
        raise click.UsageError(f"The {name} service takes no --pixels; image and pets do.")
    if {"pixels", "store"} <= given:
        raise click.UsageError("Give --pixels with --model, not with --store.")
    if "record" in given and name != "mpg":
        raise click.UsageError(f"The {name} service records nothing; only mpg does.")


def _announce_model(name: str, model: Path | None, store: Path | None) -> Path | None:
    """Print which model is served, on standard error: standard output is the request log's."""
    if store:
        from course_utils import registry

        version = f"version {registry.find_served(name, store=store)} of {name} in {store}"
        click.echo(f"Model: {version}", err=True)
    elif SERVICES[name].has_model:
        model = model or find_model(name)
        click.echo(f"Model: {model}", err=True)
    return model
