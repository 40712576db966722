from . import browser as browser
from . import chromium as chromium
from . import coreml as coreml
from . import litert as litert
from . import mil as mil
from . import onnx as onnx
from . import parity as parity
