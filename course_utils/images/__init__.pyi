from . import digits as digits
from .downloads import BadURL as BadURL
from .downloads import download as download
from .formats import FORMATS as FORMATS
from .formats import MAX_BYTES as MAX_BYTES
from .formats import BadImage as BadImage
from .reading import fetch_image as fetch_image
from .reading import read_image as read_image
