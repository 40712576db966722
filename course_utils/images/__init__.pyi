from . import digits as digits
from .downloads import BadURL as BadURL
from .downloads import download as download
from .reading import FORMATS as FORMATS
from .reading import MAX_BYTES as MAX_BYTES
from .reading import BadImage as BadImage
from .reading import Refusal as Refusal
from .reading import read_image as read_image
