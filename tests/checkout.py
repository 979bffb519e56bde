"""Where the sources are, and the mark of tests that read them.

The tests also run on an installed package, without the rest of the project. What reads the sources
is skipped then, and only then: where setup.py is, a file that a test looks for and does not find is
a fault, not a reason to skip.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
needs_sources = pytest.mark.skipif(not (ROOT/"setup.py").exists(), reason="the sources are not here")
