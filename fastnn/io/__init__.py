"""Files: `nn.save` and `nn.load` (files.py), in NumPy's format (npz.py) or that of Hugging Face
(safetensors.py); pictures (png.py, pictures.py); and files that are written whole or not at all
(atomic.py).
"""

from ..moved import moved_names
from .files import check_path, load, save

__all__ = ["check_path", "load", "save"]


moved_names(__name__)
