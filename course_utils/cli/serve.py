"""``course serve``."""

import functools
from pathlib import Path

import click

from course_utils.cli.options import ANY_FOLDER, FILE, FOLDER, OneOf
from course_utils.inference import find_model, prepare_folder
from course_utils.inference.pixels import PIXELS
from course_utils.services import SERVICES

MODEL_HELP = """A .keras, .h5 or .tflite file; beside it its .schema.json (mpg) or .labels.json
(image, pets); digit needs nothing beside it. A network of photos takes pixels 0-255 (see --pixels;
digit: 0-1) and answers probabilities."""
STORE_HELP = """A folder of model versions: serve the version that is promoted there, and follow
when that changes. In the place of --model."""
PIXELS_HELP = """How the network wants the pixels of a photo (image, pets): as they are, 0..255, or
scaled. MobileNet, Inception and Xception of Keras were trained on -1..1, VGG and ResNet on caffe; a
network that scales pixels itself takes 0..255.  [default: 0..255]"""
OPEN_HELP = "Open the page; on any port where PORT is taken."
RECORD_HELP = """Keep what is asked in this folder, for `course drift` (mpg only; the newest 4 MB).
What people send is theirs: tell them."""


@click.command()
@click.argument("name", type=OneOf(list(SERVICES)))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address or name to listen on; 0.0.0.0 for all.",
)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--model", type=FILE, help=MODEL_HELP)
@click.option("--pixels", type=click.Choice(list(PIXELS)), help=PIXELS_HELP)
@click.option("--store", type=FOLDER, help=STORE_HELP)
@click.option("--open", "open_page", is_flag=True, help=OPEN_HELP)
@click.option("--record", type=ANY_FOLDER, help=RECORD_HELP)
def serve(
    name: str,
    host: str,
    port: int,
    workers: int,
    model: Path | None,
    pixels: str | None,
    store: Path | None,
    open_page: bool,
    record: Path | None,
) -> None:
    """Serve NAME until Ctrl-C.

    Takes the model you saved in a notebook, else the one the course ships; with --store, the one
    that is promoted.
    """
    from course_utils.cli.browse import open_when_ready
    from course_utils.serving import ports, production

    _check_options(name, model, store, open_page, record)
    if pixels and not SERVICES[name].takes_pixels:
        raise click.UsageError(f"The {name} service takes no --pixels; image and pets do.")
    if record:
        prepare_folder(record)
        click.echo(f"Recording accepted examples in {record}", err=True)
    model = _announce_model(name, model, store)
    host = ports.find_address(host)
    # Whoever has the page opened need not know the port.
    with ports.listen([port], host) if open_page else ports.bind(port, host) as listener:
        port = listener.getsockname()[1]
    url = f"http://{_name_reachable(host)}:{port}"
    if open_page:
        open_when_ready(url)
    greeting = f"Serving {name} at {url} - docs at /docs, Ctrl-C stops."
    production.serve(
        name,
        host=host,
        port=port,
        workers=workers,
        model=model,
        store=store,
        record=record,
        pixels=pixels,
        on_ready=functools.partial(click.echo, greeting, err=True),
    )


def _check_options(
    name: str, model: Path | None, store: Path | None, open_page: bool, record: Path | None
) -> None:
    if not SERVICES[name].has_model and (model or store):
        raise click.UsageError(f"The {name} service has no model.")
    if model and store:
        raise click.UsageError("Give --model or --store, not both.")
    if open_page and not SERVICES[name].has_page:
        raise click.UsageError(f"The {name} service has no page to open.")
    if record and name != "mpg":
        raise click.UsageError(f"The {name} service records nothing; only mpg does.")


def _announce_model(name: str, model: Path | None, store: Path | None) -> Path | None:
    """Print which model is served, on standard error: standard output is the request log's."""
    if store:
        from course_utils import registry

        version = f"version {registry.find_served(name, store=store)} of {name} in {store}"
        serving = registry.read_serving(name, store=store)
        if serving.canary:
            version += f", {serving.share:.0%} of it to version {serving.canary}"
        click.echo(f"Model: {version}", err=True)
    elif SERVICES[name].has_model:
        model = model or find_model(name)
        click.echo(f"Model: {model}", err=True)
    return model


def _name_reachable(host: str) -> str:
    """How a browser on this machine names the address that is listened on."""
    from course_utils.serving.ports import ANY_ADDRESS

    host = ANY_ADDRESS.get(host, host)
    return f"[{host}]" if ":" in host else host
