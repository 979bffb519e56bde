"""A notebook as a student's first one, executed: each thing shows itself as a picture, not as text.
"""

import os
from importlib.util import find_spec

import pytest
from checkout import ROOT

CELLS = [
    ("import fastnn as nn\nnn.manual_seed(0)", None),
    ("x = nn.randn(3, 4)\nx", "text/html"),
    ("model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\nmodel", "text/html"),
    ("model.summary((1, 8, 8))", "text/html"),
    ("history = nn.fit(model, nn.data.digits('train'), epochs=2, progress=False)\nhistory.plot()", "image/svg+xml"),
    ("nn.viz.filters(model[1].weight, shape=(8, 8))", "image/svg+xml"),
]


def test_a_notebook_shows_pictures(tmp_path):
    for package in ("nbformat", "nbclient", "ipykernel"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    import nbclient
    import nbformat
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text, _ in CELLS])
    client = nbclient.NotebookClient(book, timeout=300, kernel_name="python3",
                                     resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)})
    for cell, (text, kind) in zip(book.cells, CELLS):
        shown = [output for output in cell.outputs if output.output_type == "execute_result"]
        assert [output.output_type for output in cell.outputs if output.output_type == "error"] == []
        assert (kind is None and not shown) or kind in shown[0].data, text
    nbformat.validate(book)
