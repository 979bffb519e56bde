"""The table of ops for people: found by name, described, and the files that each op is made of.

    find.py     ops by their names or families
    facts.py    what the record of an op knows, in words; the tables of docs/ops.md
    files.py    record, definition, kernel, wrapper and tests of an op
    skeleton.py the files of a new op, with blanks; draft.py, with which it writes

>>> from fastnn import optable
>>> [op.name for op in optable.find_ops(["softmax"])]
['softmax']
>>> optable.files_of(optable.find_ops(["softmax"])[0])["definition"]
'fastnn/reference/softmax.py'
"""

from .facts import call_of, costs_of, facts_of, markdown, samples_of, text_of
from .files import files_of
from .find import families, find_ops

__all__ = ["call_of", "costs_of", "facts_of", "families", "files_of", "find_ops", "markdown", "samples_of", "text_of"]
