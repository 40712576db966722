"""The one file of a form (``multipart/form-data``, RFC 7578), or every fault of the form."""

import io
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from course_utils.inference import Fault, describe, pointer
from course_utils.services.http.errors import Problem

MEDIA_TYPE = "multipart/form-data"
FORM_OVERHEAD = 16 * 1024  # bytes that a form takes around its file
MAX_PARTS = 8  # one is right; a few more are named, hundreds are not looked at


def form_of(field: str) -> dict[str, Any]:
    """What the OpenAPI document says of such a form: its media type, with a schema."""
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "string", "contentMediaType": "image/*"}},
        "additionalProperties": False,
    }
    return {MEDIA_TYPE: {"schema": schema}}


def uploaded_file(body: bytes, field: str) -> bytes:
    """The content of the file in ``field``, the only one that the form may have.

    The name and the type that the client gives the file are not looked at: only its content says
    what it is.

    Raises:
        Problem: 400, with every fault of the form.
    """
    texts, files = _parse(body, field)
    faults = [_fault(name, field, "not a file but a text") for name in texts]
    for name in files:
        if name != field:
            faults.append(_fault(name, field, "unknown field"))
        elif len(files.getlist(name)) > 1:
            faults.append(_fault(name, field, "more than one file"))
    if field not in files and field not in texts:
        faults.append(_fault(field, field, "missing"))
    if faults:
        raise Problem(400, f"The form has to have one file, in the field {field}.", faults)
    return files[field].read()


def _parse(body: bytes, field: str) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    parser = FormDataParser(stream_factory=_in_memory, max_form_parts=MAX_PARTS, silent=False)
    try:
        parsed = parser.parse(io.BytesIO(body), MEDIA_TYPE, len(body), request.mimetype_params)
    except RequestEntityTooLarge:
        detail = f"the form has more than {MAX_PARTS} parts"
    except (ValueError, LookupError):
        detail = "the body does not follow the boundary that the Content-Type names"
    else:
        return parsed[1], parsed[2]
    fault = Fault("", detail, f"{len(body)} bytes", f"a form with one file, in the field {field}")
    raise Problem(400, "The body is not a form that can be read.", [fault])


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> io.BytesIO:
    # The body has been read and is bounded: a temporary file would only cost time.
    return io.BytesIO()


def _fault(name: str | None, field: str, detail: str) -> Fault:
    name = (name or "")[:40]  # a part may have none
    received = "nothing" if detail == "missing" else f"the field {describe(name)}"
    return Fault(pointer(name), detail, received, f"one file, in the field {field}")
