"""The skeleton of a new op, in a checkout: every file that it is made of, with blanks.

What is written is red until it is filled: the definition raises NotImplementedError, a kernel gives
NaN, the example of the docstring shows nothing, numbers worked by hand are `...`.
"""

from __future__ import annotations

import ast
import importlib
import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import functional
from ..console import UserError
from ..op import OPS
from .draft import Draft
from .files import ROOT, kernel_files, record_module, wrappers_of

__all__ = ["kernel_skeleton", "op_skeleton"]

# file of fastnn/ops -> the function there that makes records of one kind
MAKERS = {"activation": "activation", "elementary": "unary_op"}
# file of fastnn/ops -> that of fastnn/reference, where it has another name
DEFINITIONS = {"elementary": "arithmetic"}
# What the written lines call or import: an argument or a function of that name would hide it.
USED = {"float", "int", "len", "tuple", "range", "np", "nn", "numpy", "fastnn", "torch", "pytest", "apply",
        "register", "seeded", "tensor", "reference", "need_float", "common_shape", "broadcast_tensors", "annotations",
        "activation", "unary_op", "self"}


def shortened(word: str) -> str:
    """A keyword's usual stand-in: PyTorch writes lambd."""
    return "lambd" if word == "lambda" else word + "_"


# ---- the definition, the function and its record -------------------------------------------------
def op_skeleton(name: str, family: str, inputs: tuple[str, ...] = ("x",), attrs: Mapping[str, float] | None = None,
                page: str = "", root: Path = ROOT, with_torch: bool = True) -> Draft:
    """The definition, the function with its record, the layer of an activation, and the tests; the
    draft is to be written.

    family       the file of fastnn/ops
    attrs        attributes and their defaults
    page         of docs/api, for a new family
    with_torch   compare with PyTorch, where it is installed and has a function of that name
    """
    attrs, draft = dict(attrs or {}), Draft(root)
    for word in (name, family, *inputs, *attrs):
        if not re.fullmatch(r"[a-z]\w*", word):
            raise UserError(f"{word!r} is no name of a function or argument: small letters, digits and _")
        if keyword.iskeyword(word):
            raise UserError(f"{word!r} is a word of Python's own and names nothing: write {shortened(word)!r}")
    for word in (name, *inputs, *attrs):
        if word in USED:
            raise UserError(f"{word!r} has a meaning already in the files that are written: choose another name")
    arguments = [*inputs, *attrs]
    for word in arguments:
        if arguments.count(word) > 1 or word == name:
            raise UserError(f"{word!r} is given twice: the op, its inputs and attributes need a name each")
    for word in {"y", "dy", "n", "saved", "input"} & {*inputs, *attrs}:
        raise UserError(f"{word} has another meaning in an op (y is the result, dy its gradient): call the inputs a,b")
    if name in OPS or hasattr(functional, name):
        where = getattr(getattr(functional, name, None), "__module__", "fastnn.ops")
        raise UserError(f"there is {name} already, in {where}")
    if len(inputs) > 1 and family in MAKERS:
        raise UserError(f"the ops of fastnn/ops/{family}.py have one input; {len(inputs)} go to another family")
    ops = f"fastnn/ops/{family}.py"
    if ops not in draft:
        begin_family(draft, family, page)
    definition = DEFINITIONS.get(family, family)
    define(draft, f"fastnn/reference/{definition}.py", name, inputs, attrs)
    draft.export(ops, name)
    draft.publish(ops, function_text(name, inputs, attrs))
    if len(inputs) > 1:
        for home, needed in (("arithmetic", "common_shape"), ("repeat", "broadcast_tensors")):
            if family != home:
                draft.bring(ops, f".{home}", needed)
    if family in MAKERS:
        draft.append(ops, made_record(name, family, attrs))
    else:
        draft.bring(ops, "..autograd", "apply")
        draft.bring(ops, "..errors", "DTypeError", *["ShapeError"] * (len(inputs) > 1))
        draft.bring(ops, "..op", "Op", "Refusal", "Sample", "register", "seeded")
        if not re.search(r"^from \.\.reference import .*\breference$", draft.read(ops), re.MULTILINE):
            draft.bring(ops, "..reference", f"{definition} as reference")
        draft.bring(ops, "..tensor", "Tensor", "tensor")
        draft.bring(ops, ".checks", "need_float")
        draft.append(ops, record(name, family, inputs, attrs))
    theirs = torch_names(name) if with_torch else set()
    if family == "activation":
        add_layer(draft, name, attrs, theirs)
    add_tests(draft, name, family, inputs, attrs, name in theirs)
    return draft


def torch_names(name: str) -> set[str]:
    """Which of a function's name and its layer's PyTorch has; none where it is not installed."""
    try:
        torch = importlib.import_module("torch")
    except Exception:                               # none, or one that cannot be loaded
        return set()
    homes = {name: (torch, torch.nn.functional), titled(name): (torch.nn,)}
    return {word for word, rooms in homes.items() if any(callable(getattr(room, word, None)) for room in rooms)}


def begin_family(draft: Draft, family: str, page: str) -> None:
    """The files of a new family, and where they are listed."""
    pages = sorted(path.stem for path in (draft.root / "docs/api").glob("*.md")
                   if "::: fastnn.ops." in path.read_text(encoding="utf-8"))
    if page not in pages:
        from ..names import near
        close = [] if page else near(family, [path.stem for path in (draft.root / "fastnn/ops").glob("*.py")])
        meant = f"did you mean {close[0]}? " if close else ""
        raise UserError(f"{meant}fastnn/ops/{family}.py would be new: --page says on which page of docs/api it stands: "
                        f"{', '.join(pages)}")
    draft.append(f"fastnn/ops/{family}.py", "", f'''"""...: what the family is, in a line.

Definitions: fastnn/reference/{family}.py.
"""

from __future__ import annotations

import numpy as np

__all__ = []
''')
    draft.bring("fastnn/functional.py", f".ops.{family}", "*")
    draft.insert(f"docs/api/{page}.md", r"^::: fastnn\.ops\.\w+\n", f"::: fastnn.ops.{family}\n")


def define(draft: Draft, path: str, name: str, inputs: tuple[str, ...], attrs: Mapping[str, float]) -> None:
    keywords = "".join([", *" if attrs else "", *[f", {attr}" for attr in attrs]])
    draft.append(path, f'''

def {name}_forward({", ".join(inputs)}{keywords}):
    with np.errstate(all="ignore"):
        raise NotImplementedError("y = ..., straight from the formula")
    return y, {listed(inputs)}


def {name}_backward(dy, saved{keywords}):
    {listed(inputs)[1:-1]} = saved                                      # forward was  y = ...
    with np.errstate(all="ignore"):
        raise NotImplementedError("dy times the derivative of that line")
    return {listed([f"d{a}" for a in inputs])}
''', f'"""Definitions of {Path(path).stem}: straight from the formulas."""\n\nimport numpy as np\n')


def function_text(name: str, inputs: tuple[str, ...], attrs: Mapping[str, float]) -> str:
    arguments = ["input" if a == "x" else a for a in inputs]
    several = len(inputs) > 1
    given = f"*broadcast_tensors({', '.join(arguments)})" if several else arguments[0]
    check = f'    common_shape("{name}", {", ".join(f"{a}.shape" for a in arguments)})\n' if several else ""
    slopes = r", \quad ".join(rf"d{a} = dy\, ..." for a in inputs)
    raised = ["ShapeError : if the shapes do not broadcast."] if several else []
    raised.append(f"DTypeError : if {'one' if several else arguments[0]} is not floating point"
                  f"{', or the dtypes differ' if several else ''}.")
    tensors = [f"nn.tensor([{2*i + 1}.0, {2*i + 2}.0])" for i in range(len(inputs))]
    typed = [*[f"{a}: Tensor" for a in arguments], *[f"{a}: float = {value}" for a, value in attrs.items()]]
    broadcast = ", which broadcast" if several else ""
    described = [f"    {', '.join(arguments)} : Tensor of any shape, float32 or float64{broadcast}",
                 *[f"    {a} : float\n        ..." for a in attrs]]
    return f'''def {name}({", ".join(typed)}) -> Tensor:
    r"""...: what it is for, in a line.

    .. math:: y = ... \\qquad {slopes}

    Parameters
    ----------
{chr(10).join(described)}

    Raises
    ------
    {(chr(10) + "    ").join(raised)}

    Cost: ... an element.

    Reference: ...

    >>> import fastnn as nn
    >>> nn.functional.{name}({", ".join(tensors)})
    """
{check}    return apply({", ".join([name.upper(), given, *[f"{a}=float({a})" for a in attrs]])})
'''


def made_record(name: str, family: str, attrs: Mapping[str, float]) -> str:
    """A record by the function of its family that makes such."""
    values = "".join(f"{a}={value}, " for a, value in attrs.items())
    samples = "" if not attrs else f"draw=lambda: samples({values[:-2]}), " if family == "activation" else (
        f"samples=lambda: [replace(case, attrs=dict({values[:-2]})) for case in grid()],\n    ")
    return f'''{name.upper()} = {MAKERS[family]}(
    "{name}", "y = ...",
    lambda {", ".join(["x", *attrs])}: reference.{name}_forward({", ".join(["x", *[f"{a}={a}" for a in attrs]])})[0],
    {name}, {samples}{values}flops=1, compiled=False)
'''


def record(name: str, family: str, inputs: tuple[str, ...], attrs: Mapping[str, float]) -> str:
    """A record for inputs of one shape."""
    values = ", ".join(f'"{a}": {value}' for a, value in attrs.items())
    family = next((op.family for op in OPS.values() if op.ref_forward.__module__.endswith(f".{family}")), family)
    refusals = "" if len(inputs) == 1 else f'''
        Refusal("shapes", lambda: {name}({shaped(inputs, "tensor(np.ones((2, 3)))", "tensor(np.ones((2, 4)))")}),
                ShapeError, ("{name}", "(2, 3)", "(2, 4)")),
        Refusal("dtypes", lambda: {name}({shaped(inputs, "tensor([1.0])", "tensor(np.ones(1))")}), DTypeError,
                ("{name}", "float32", "float64")),'''
    return f'''

# ---- {name} {"-"*(92 - len(name))}
def {name}_sample(case: str, *shape: int) -> Sample:
    rng = seeded(f"{name} {{case}}")
    arrays = tuple(np.asarray(rng.standard_normal(shape)) for _ in range({len(inputs)}))
    return Sample(case, arrays, {{{values}}}, {{"n": int(np.prod(shape))}})


{name.upper()} = register(Op(
    name="{name}", family="{family}", inputs={listed([f'"{a}"' for a in inputs])}, formula="y = ...",
    ref_forward=reference.{name}_forward, ref_backward=reference.{name}_backward,
    check=lambda {", ".join(inputs)}, **_: need_float("{name}", {", ".join(f"{a}={a}" for a in inputs)}),
    samples=lambda: [{name}_sample("one", 1), {name}_sample("odd", 3, 5, 7),
                     {name}_sample("zero-dimensional"), {name}_sample("empty", 0, 4),
                     {name}_sample("blocks", 2, 16411)],
    errors=({refusals}
        Refusal("integers", lambda: {name}({", ".join("tensor([1, 2])" for _ in inputs)}), DTypeError,
                ("{name}", "int64")),
    ),
    fast_numpy=lambda *inputs, **attrs: reference.{name}_forward(*inputs, **attrs)[0],
    bench={{"2048x512": lambda: {name}_sample("2048x512", 2048, 512)}},
    flops=lambda n: n, bytes=lambda n: {4*(len(inputs) + 1)} * n))
'''


def shaped(inputs: tuple[str, ...], first: str, last: str) -> str:
    """Arguments of which the last is another."""
    return ", ".join([first]*(len(inputs) - 1) + [last])


def titled(name: str) -> str:
    """The name of a function's layer."""
    return "".join(map(str.capitalize, name.split("_")))


def add_layer(draft: Draft, name: str, attrs: Mapping[str, float], theirs: set[str]) -> None:
    """The layer of an activation, and its tests: a row that compares where PyTorch has it, else
    that it is its function.
    """
    path, title = "fastnn/layers/activation.py", titled(name)
    init = f'''
    def __init__(self, {", ".join(f"{a}: float = {value}" for a, value in attrs.items())}) -> None:
        super().__init__()
{"".join(f"        self.{a} = {a}{chr(10)}" for a in attrs)}''' if attrs else ""
    shown = f'''
    def extra_repr(self) -> str:
        return f"{", ".join(f"{a}={{self.{a}}}" for a in attrs)}"
''' if attrs else ""
    draft.export(path, title)
    draft.append(path, f'''

class {title}(_Activation):
    """y = ...

    >>> import fastnn as nn
    >>> nn.{title}()(nn.tensor([1.0, 2.0]))
    """
{init}
    def forward(self, input: Tensor) -> Tensor:
        return F.{name}({", ".join(["input", *[f"self.{a}" for a in attrs]])})
{shown}''')
    if title in theirs:
        draft.insert("tests/layers/test_layers.py", r"^CASES = \{.*?(?=^\}$)",
                     f'    "{title}": (lambda n: n.{title}(), [(3, 4, 6)]),\n')
    else:
        draft.append("tests/layers/test_layers.py", f'''

def test_{name}_is_its_function():
    x = nn.tensor([[-2.0, -0.5, 0.25], [0.5, 1.0, 3.0]])
    layer = nn.{title}()
    assert nn.equal(layer(x), nn.functional.{name}(x)) and repr(layer).startswith("{title}(")
''')
    draft.insert("tests/layers/test_module.py", r"^ERRORS = \[$.*?(?=^\]$)",
                 f'    ("{title}", lambda: nn.{title}()(zeros(2, 3, dtype=np.int64)), DTypeError, "{title}|int64"),\n')


def add_tests(draft: Draft, name: str, family: str, inputs: tuple[str, ...], attrs: Mapping[str, float],
              compared: bool) -> None:
    """A number worked by hand, the shapes of several inputs, and PyTorch's opinion where it is
    `compared`.
    """
    path = f"tests/ops/test_{family}.py"
    tensors = "\n".join(f"    {a} = nn.tensor([{2*i + 1}.0, {2*i + 2}.0], requires_grad=True)"
                        for i, a in enumerate(inputs))
    text = f'''

# ---- {name} {"-"*(92 - len(name))}
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_{name}_by_hand(backend):
{tensors}
    with nn.use_backend(backend):
        y = nn.functional.{name}({", ".join(inputs)})
        y.sum().backward()
    assert y.tolist() == [...]                      # the arithmetic, for a reader with a calculator
{chr(10).join(f"    assert {a}.grad.tolist() == [...]" for a in inputs)}
'''
    if len(inputs) > 1:
        text += f'''

def test_{name}_broadcasts():
    row = nn.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    column = nn.tensor([[1.0], [2.0]], requires_grad=True)
    y = nn.functional.{name}({shaped(inputs, "row", "column")})
    same = nn.functional.{name}({shaped(inputs, "row.expand(2, 3)", "column.expand(2, 3)")})
    assert nn.equal(y, same) and y.shape == (2, 3)
    y.sum().backward()
    assert row.grad.shape == (1, 3) and column.grad.shape == (2, 1)
'''
    if compared:
        settings = "".join(f", {a}={value}" for a, value in attrs.items())
        shapes = ", ".join(["(3, 5)", *["(5,)"]*(len(inputs) - 1)])
        text += f'''

def test_{name}_is_pytorchs(torch):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in [{shapes}]]
    compare(*both("{name}"), arrays, each=True{settings})
'''
    needed = "import pytest"
    if compared:
        needed = f"import numpy as np\n{needed}\nfrom second_opinion import both, compare"
    others = ", PyTorch as second opinion" if compared else ""
    draft.append(path, text, f'''"""{family} beyond the laws: a number worked by hand{others}."""

{needed}

import fastnn as nn
''')
    if compared:
        if "import numpy as np\n" not in draft.read(path):      # the family's first op needed none
            draft.insert(path, r"^(?=import pytest$)", "import numpy as np\n")
        draft.bring(path, "second_opinion", "both", "compare")


# ---- the kernel ----------------------------------------------------------------------------------
def kernel_skeleton(name: str, folder: str = "", root: Path = ROOT) -> Draft:
    """The kernel of an op that has its definition: rows, bodies, wrappers, cases, and the record
    that names them. Its arguments are those of the definition. The draft is to be written.

    folder   of csrc, for the first kernel of a family
    """
    draft = Draft(root)
    if name not in OPS:
        raise UserError(f"there is no op {name}: first its definition, new-op {name} --family ...")
    op = OPS[name]
    if op.forward is not None:
        raise UserError(f"{name} has a kernel: python -m fastnn ops {name} tells its files")
    definition = f"{op.ref_forward.__module__.replace('.', '/')}.py"
    inputs, attrs = arguments_of(draft.read(definition), f"{name}_forward")
    wrapper, kernel = kernels_beside(name) or begin_kernels(draft, name, folder)
    template, cases = f"csrc/{kernel}.tmpl.h", "tests/c/cases_elements.c"
    if '#include "pointwise/map.tmpl.h"' not in draft.read(template):
        draft.insert(template, r"\A/\*.*?\*/\n", '#include "pointwise/map.tmpl.h"\n')
    if f"fnn_{name}_forward" not in draft.read(f"csrc/{kernel}.h"):
        draft.insert(f"csrc/{kernel}.h", r"^ \* Names {6}(?=fnn_)",
                     f"fnn_{name}_forward, fnn_{name}_backward,\n *            ")
    title, case = f"/* ---- {name} {'-'*(88 - len(name))} */", ""
    body = f"\n{title}\n"
    for way, outputs, arrays in (("forward", ["y"], inputs), ("backward", [f"d{a}" for a in inputs], ("dy", *inputs))):
        kernel_name = f"{name}_{way}"
        mapped = is_mapped(outputs, arrays, attrs)
        arguments = [*[f"REAL *{a}" for a in outputs], *[f"const REAL *{a}" for a in arrays], "fnn_size n",
                     *[f"double {a}" for a in attrs]]
        names = [*outputs, *arrays, "n", *attrs]
        draft.append(f"csrc/{kernel}.h", "/* ... */\n" + wrapped(
            f"KERNEL({kernel_name}, ({', '.join(arguments)}),", f"({', '.join(names)}))", 7))
        body += mapping(kernel_name, arrays, attrs) if mapped else loop(kernel_name, outputs, arrays, attrs, arguments)
        given = ", ".join(["n", *["0.5", "0.75", *["1.0"]*len(attrs)][:len(attrs)]])
        made = ", ".join(["out(r, n)"]*len(outputs) + ["in(r, n)"]*len(arrays))
        case += (f"{way.upper()}({kernel_name}, any, {given})\n" if len(inputs) == 1 and mapped else
                 f"CASE({kernel_name})\n{{\n    FOR_LENGTHS {{\n        const fnn_size n = length(r, size);\n"
                 f"        CALL({kernel_name})({made}, {given});\n    }}\n}}\n" + "\n"*(way == "forward"))
    draft.append(template, body)
    draft.append(f"fastnn/kernels/{wrapper}.pxi", wrappers(name, inputs, attrs))
    section = rf"^/\* ---- {Path(kernel).name}\.h .*?(?=\n/\* ----|\Z)"
    if re.search(section, draft.read(cases), re.MULTILINE | re.DOTALL):
        draft.insert(cases, section, case)
    else:
        draft.append(cases, f"\n/* ---- {Path(kernel).name}.h {'-'*(88 - len(Path(kernel).name))} */\n{case}")
    name_kernels(draft, f"{record_module(op).replace('.', '/')}.py", name)
    return draft


def kernels_beside(name: str) -> tuple[str, str] | None:
    """Where the family of this op has its kernels: stem of the .pxi, and family/name in csrc."""
    module = record_module(OPS[name])
    for op in OPS.values():
        if op.forward is not None and record_module(op) == module:
            return kernel_files(wrappers_of(op), module.rsplit(".", 1)[-1])
    return None


def arguments_of(source: str, function: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The positional arguments of a function, and those by name."""
    found = next(node.args for node in ast.parse(source).body
                 if isinstance(node, ast.FunctionDef) and node.name == function)
    return tuple(a.arg for a in found.args), tuple(a.arg for a in found.kwonlyargs)


def begin_kernels(draft: Draft, name: str, folder: str) -> tuple[str, str]:
    """The C files of a new family, and where they are listed."""
    family = record_module(OPS[name]).rsplit(".", 1)[-1]
    folders = sorted({path.name for path in (draft.root / "csrc").iterdir() if path.is_dir()} - {"core"})
    if folder not in folders:
        raise UserError(f"the ops of fastnn/ops/{family}.py have no kernel so far: --folder says where in csrc: "
                        f"{', '.join(folders)}")
    maps = next(path for path in sorted((draft.root / "csrc" / folder).glob("*.h"))
                if re.search(r"^ \* Map  ", path.read_text(encoding="utf-8"), re.MULTILINE))
    where = f"csrc/{folder}/{family}"
    draft.append(f"{where}.h", "", f"""/* {family}.h -- ...: the rows of kernels.h for {family}.c; no guard.
 * Map of the family: {maps.name}.
 *
 * Names      fnn_{name}_forward, fnn_{name}_backward:
 *            FN({name}_forward) and so on, in {family}.tmpl.h.
 * Letters    n elements
 */

""")
    draft.append(f"{where}.c", "", f"""/* {family}.c -- .... Mathematics and method: {family}.tmpl.h. */
#define KERNELS "{folder}/{family}.h"
#include "fastnn.h"
#define TEMPLATE "{folder}/{family}.tmpl.h"
#include "core/levels.h"
""")
    draft.append(f"{where}.tmpl.h", "", f"""/* {family}.tmpl.h -- ...: what it computes, in a line.
 *
 * Math       y[i] = ...;   dx[i] = ... dy[i]
 * Symbols    n elements; x input, y output, dy upstream gradient, dx gradient of x.
 * Method     one pass.
 * Cost       ...
 * Threads    blocks of MAP_GRAIN elements; elements are independent.
 * Reference  fastnn/reference/{family}.py
 */
""")
    draft.append(f"fastnn/kernels/{family}.pxi", "", f"# {family}.pxi -- calls of {where}.c\n")
    draft.insert("csrc/kernels.h", r'^#include "optim/', f'#include "{folder}/{family}.h"\n', before=True)
    draft.insert("fastnn/kernels/_kernels.pyx", r'^include "optim', f'include "{family}.pxi"\n', before=True)
    draft.insert(f"csrc/{folder}/{maps.name}", r"^ \* Map  .*?(?=^ \* [A-Z][a-z]+  |^ \*/)",
                 f" *            {'...':<21} {family}.tmpl.h\n")
    return family, f"{folder}/{family}"


def wrapped(line: str, rest: str, indent: int) -> str:
    """A line of C, in two if it is too long for one."""
    return f"{line} {rest}\n" if len(line + rest) < 120 else f"{line}\n{' '*indent}{rest}\n"


def is_mapped(outputs: Sequence[str], arrays: Sequence[str], attrs: Sequence[str]) -> bool:
    """Whether MAP1 or MAP2 makes such a kernel."""
    return len(outputs) == 1 and len(arrays) <= 2 and len(attrs) <= 2


def mapping(kernel: str, arrays: tuple[str, ...], attrs: tuple[str, ...]) -> str:
    """A line of map.tmpl.h. An expression without one of its names would be a warning."""
    names = [*arrays, *attrs]
    return f"MAP{len(arrays)}{'PQ'[:len(attrs)]}({', '.join([kernel, *names])}, R(NAN) * {' * '.join(names)})\n"


def loop(kernel: str, outputs: list[str], arrays: tuple[str, ...], attrs: tuple[str, ...], arguments: list[str]) -> str:
    """A loop over the elements, in blocks."""
    fields = f"REAL *{', *'.join(outputs)}; const REAL *{', *'.join(arrays)};"
    fields += f" double {', '.join(attrs)};" if attrs else ""
    # a name that is not used would be a warning
    product = " * ".join([*arrays, *attrs])
    named = f"const REAL {', '.join(f'{a} = args->{a}[i]' for a in arrays)};"
    numbers = "".join(f"    const REAL {a} = (REAL)args->{a};\n" for a in attrs)
    written = "\n".join(f"        args->{a}[i] = R(NAN) * {product};" for a in outputs)
    return f"""typedef struct {{ {fields} }} FN({kernel}_args);

static void FN({kernel}_block)(void *ctx, fnn_size begin, fnn_size end)
{{
    const FN({kernel}_args) *args = ctx;
{numbers}    for (fnn_size i = begin; i < end; i++) {{
        {named}
{written}
    }}
}}

void FN({kernel})({', '.join(arguments)})
{{
    FN({kernel}_args) args = {{ {', '.join([*outputs, *arrays, *attrs])} }};
    fnn_parallel_for(n, MAP_GRAIN, FN({kernel}_block), &args);
}}
"""


def wrappers(name: str, inputs: tuple[str, ...], attrs: tuple[str, ...]) -> str:
    """The wrappers in Cython."""
    keywords = "".join([", *" if attrs else "", *[f", {a}" for a in attrs]])
    numbers = "".join(f", {a}" for a in attrs)
    kind = "pq"[:len(attrs)]
    mapped = f"""

def {name}_forward({', '.join(inputs)}{keywords}):
    return map{len(inputs)}{kind}(fnn_{name}_forward, {', '.join(inputs)}{numbers}), {listed(inputs)}
"""
    if is_mapped(["dx"], ["dy", *inputs], attrs):
        return f"""{mapped}

def {name}_backward(dy, saved{keywords}):
    return (map2{kind}(fnn_{name}_backward, dy, saved[0]{numbers}),)
"""
    first, typed = inputs[0], "".join([", *" if attrs else "", *[f", double {a}" for a in attrs]])
    opened = "".join(f"    {a} = open_array({a}, &{a}_)\n" for a in inputs)
    fit = "".join(f"    need(matches(&{a}_, &{first}_))\n" for a in inputs[1:])
    made = "".join(f"    d{a} = new_like(&d{a}_, &{first}_)\n" for a in inputs)
    data = "".join(f", {a}_.data" for a in inputs)
    outputs = ", ".join(f"d{a}_.data" for a in inputs)
    forward = mapped if is_mapped(["y"], inputs, attrs) else f"""

def {name}_forward({', '.join(inputs)}{typed}):
    cdef Array {', '.join(f'{a}_' for a in (*inputs, 'y'))}
{opened}{fit}    y = new_like(&y_, &{first}_)
    with nogil:
        fnn_{name}_forward[{first}_.dtype](y_.data{data}, {first}_.size{numbers})
    return y, {listed(inputs)}
"""
    return f"""{forward}

def {name}_backward(dy, saved{typed}):
    cdef Array {', '.join(f'{a}_' for a in ('dy', *inputs, *[f'd{a}' for a in inputs]))}
    {listed(inputs)[1:-1]} = saved
    dy = open_array(dy, &dy_)
{opened}    need(matches(&dy_, &{first}_))
{fit}{made}    with nogil:
        fnn_{name}_backward[{first}_.dtype]({outputs}, dy_.data{data}, {first}_.size{numbers})
    return {listed([f'd{a}' for a in inputs])}
"""


def name_kernels(draft: Draft, path: str, name: str) -> None:
    """Make the record name the kernels."""
    begins = rf"^{name.upper()} = \w+\("
    source = draft.read(path)
    found = re.search(begins + r".*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL)
    if found and ", compiled=False" in found[0]:
        draft.files[path] = source.replace(found[0], found[0].replace(", compiled=False", "", 1), 1)
        return
    draft.bring(path, "..kernels", "kernel")
    draft.insert(path, rf'^{name.upper()} = register\(Op\(\n    name="{name}",[^\n]*\n',
                 f'    forward=kernel("{name}_forward"), backward=kernel("{name}_backward"),\n')


# ---- words ---------------------------------------------------------------------------------------
def listed(names: Sequence[str]) -> str:
    """A tuple: (x,) or (x, w)."""
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
