"""The sets of data that fastnn brings or makes, one file each.

digits.py are handwritten digits, which come with the package; toy.py are points of the plane, which
are computed.
"""

from .digits import digits
from .toy import moons, spirals, xor

__all__ = ["digits", "moons", "spirals", "xor"]
