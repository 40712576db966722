"""The course's web services: one ``create_app`` a module, everything around it shared.

`errors` answers with problem+json, `strict_json` reads bodies, `gate` bounds the queue,
`upload` and `page` are for services of photos, `openapi` writes the documents, and `operations`
puts health, metrics, docs and the request log around an app.
"""

SERVICES = ("hello", "mpg", "image", "digit", "pets")
