from . import digits as digits
from .downloads import BadURL as BadURL
from .downloads import download as download
from .reading import FORMATS as FORMATS
from .reading import MAX_BYTES as MAX_BYTES
from .reading import read_image as read_image
from .refusals import BadImage as BadImage
from .refusals import Refusal as Refusal
