"""``course serve``."""

import contextlib
import socket
from pathlib import Path

import click

from course_utils.services import SERVICES


@click.command()
@click.argument("name", type=click.Choice(list(SERVICES)))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .keras, .h5 or .tflite file; beside it its .schema.json (mpg) or .labels.json (image, "
    "pets); digit needs nothing beside it.",
)
@click.option(
    "--store",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of model records: serve the version that is promoted there, and follow when "
    "that changes. In the place of --model.",
)
@click.option(
    "--open", "open_page", is_flag=True, help="Open the page; on any port where PORT is taken."
)
@click.option(
    "--record",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Keep what is asked in this folder, for `course drift` (mpg only; the newest 4 MB). What "
    "people send is theirs: tell them.",
)
def serve(
    name: str,
    host: str,
    port: int,
    workers: int,
    model: Path | None,
    store: Path | None,
    open_page: bool,
    record: Path | None,
) -> None:
    """Serve NAME until Ctrl-C.

    Takes the model you saved in a notebook, else the one the course ships; with --store, the one
    that is promoted.
    """
    from course_utils.cli.browse import open_when_ready
    from course_utils.serving import production

    service = SERVICES[name]
    if service.default_model is None and (model or store):
        raise click.UsageError(f"The {name} service has no model.")
    if model and store:
        raise click.UsageError("Give --model or --store, not both.")
    if open_page and not service.has_page:
        raise click.UsageError(f"The {name} service has no page to open.")
    if record:
        _prepare_recording(name, record)
    if store:
        _say_version(name, store)
    elif service.default_model is not None:
        try:
            model = model or service.default_model()
        except FileNotFoundError as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"Model: {model}", err=True)  # standard output is the request log's
    if _in_use(host, port):
        if not open_page:  # else nobody needs to know the port
            raise click.ClickException(
                f"Port {port} is in use. Choose another with --port, for example {port + 1}."
            )
        port = _free_port(host)
    url = f"http://{_reachable(host)}:{port}"
    click.echo(f"Serving {name} at {url} - docs at /docs, Ctrl-C stops.", err=True)
    if open_page:
        open_when_ready(url)
    try:
        production.serve(
            name, host=host, port=port, workers=workers, model=model, store=store, record=record
        )
    except (OSError, ValueError) as error:  # the model or its schema cannot be read
        raise click.ClickException(str(error)) from None


def _say_version(name: str, store: Path) -> None:
    from course_utils import registry

    try:
        serving = registry.serving(name, store=store)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if serving.version is None:
        raise click.ClickException(registry.nothing_promoted(name, store))
    canary = f", {serving.share:.0%} of it to version {serving.canary}" if serving.canary else ""
    click.echo(f"Model: version {serving.version} of {name} in {store}{canary}", err=True)


def _prepare_recording(name: str, folder: Path) -> None:
    from course_utils.inference import prepare

    if name != "mpg":
        raise click.UsageError(f"The {name} service records nothing; only mpg does.")
    try:
        prepare(folder)
    except OSError as error:
        raise click.ClickException(f"Cannot record in {folder}: {error.strerror}.") from None
    click.echo(f"Recording accepted examples in {folder}", err=True)


def _in_use(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as probe:
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """How a browser on this machine names the address that is listened on."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
