from . import labelled_images as labelled_images
from . import pretrained as pretrained
from . import resume as resume
from . import transfer as transfer
from .runs import new_run as new_run
from .runs import tee as tee
