"""What a PyTorch user types by keyword: every name of an argument that PyTorch has is taken.

The names come from PyTorch itself, from the schemas of native functions and the signatures of what
is written in Python, so that a function added later is held without being named here.
"""

import inspect
import re

import pytest

import fastnn as nn

# Name of an argument that is not taken -> why.
EVERYWHERE = {
    "layout": "there are no sparse tensors", "memory_format": "arrays are row-major",
    "pin_memory": "of likes and methods: there is the CPU alone", "out_dtype": "PyTorch has it on GPUs alone",
    "cudnn_enabled": "there is the CPU alone", "cudnn_enable": "there is the CPU alone",
    "implicit": "of the tracer, not of users", "foreach": "how it is computed, not what",
    "out": "results are new tensors: out.copy_(...)",
    "pickle_module": "nothing is pickled", "pickle_protocol": "nothing is pickled",
}
SCHEMA = "a name in PyTorch's schema that its Python does not take"
HERE = {
    ("torch", "seed"): {"input": SCHEMA},
    ("torch", "tensor_split"): {"tensor_indices_or_sections": "a tensor goes to indices_or_sections"},
    ("Tensor", "tensor_split"): {"tensor_indices_or_sections": "a tensor goes to indices_or_sections"},
    ("Tensor", "random_"): {"from": "a word of Python's: from_, or by **"},
    ("Tensor", "uniform_"): {"from": "a word of Python's: from_, or by **"},
    ("Tensor", "copy_"): {"other": "PyTorch's documentation, and ours, call it src"},
    ("Tensor", "to"): {"other": SCHEMA},
    ("torch.nn.functional", "elu_"): {"scale": SCHEMA, "input_scale": SCHEMA},
    ("torch.nn.functional", "fractional_max_pool2d"): {"random_samples": "nn.seed decides where windows begin"},
    **{("torch", f"atleast_{n}d"): {"input": "given by place alone"}
       for n in (1, 2, 3)},
    ("torch", "detach"): {"input": "taken, as by every function that is a method (guard.explain)"},
    ("torch.nn", "LazyConvTranspose1d.forward"): {"output_size": "the first call gives the input alone"},
    ("torch.nn", "LazyConvTranspose2d.forward"): {"output_size": "the first call gives the input alone"},
    ("torch.nn", "Sequential.extend"): {"sequential": "any iterable of modules is taken, by place"},
    ("torch.nn", "UninitializedBuffer"): {"persistent": "register_buffer has it"},
}
# PyTorch's have other arguments than its layers; the layers are for users.
INTERNAL = {"gru", "lstm", "rnn_tanh", "rnn_relu"}
# TorchScript's own, of numbers and lists.
SCRIPTS = {"a", "b", "reverse", "i", "l", "n", "t", "list", "idx", "path", "tensors"}


def native(torch):
    """name -> the names of arguments of aten::name, in every form that does not write to `out`."""
    found = {}
    for schema in torch._C._jit_get_all_schemas():
        space, _, name = schema.name.partition("::")
        writes = any(a.alias_info is not None and a.alias_info.is_write and a.kwarg_only for a in schema.arguments)
        names = {a.name for a in schema.arguments}
        if space == "aten" and not writes and "Dimname" not in str(schema) and not names & SCRIPTS:
            found.setdefault(name, set()).update(names)
    return found


def parameters(function):
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def named(function):
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in parameters(function) if p.kind in kinds}


def pairs(torch):
    """(where, name, ours, the names of PyTorch's arguments)."""
    schemas = native(torch)
    rooms = [("torch.nn.functional", torch.nn.functional, nn.functional), ("torch", torch, nn),
             ("torch.nn.init", torch.nn.init, nn.init), ("torch.nn.utils", torch.nn.utils, nn.utils),
             ("torch.autograd", torch.autograd, nn.autograd), ("Tensor", torch.Tensor, nn.Tensor)]
    for where, theirs, ours in rooms:
        for name in dir(ours):
            if name.startswith("_") or name in INTERNAL:
                continue
            if where == "torch" and (hasattr(torch.nn.functional, name) or name.endswith("_")):
                continue
            f, g = getattr(ours, name, None), getattr(theirs, name, None)
            if callable(f) and callable(g) and not isinstance(f, type) and not isinstance(f, property):
                names = named(g) or schemas.get(name, set())
                yield where, name, f, {"input" if n == "self" and where != "Tensor" else n for n in names}
    for where, theirs, ours in (("torch.nn", torch.nn, nn), ("torch.optim", torch.optim, nn.optim),
                                ("lr_scheduler", torch.optim.lr_scheduler, nn.optim.lr_scheduler),
                                ("torch.utils.data", torch.utils.data, nn.data)):
        for name in dir(ours):
            f, g = getattr(ours, name), getattr(theirs, name, None)
            if name.startswith("_") or not isinstance(f, type) or not isinstance(g, type):
                continue
            yield where, name, f, named(g)
            for method in dir(f):
                if (not method.startswith("_") and inspect.isfunction(getattr(g, method, None))
                        and hasattr(f, method)):
                    yield where, f"{name}.{method}", getattr(f, method), named(getattr(g, method))


def lacking(where, name, ours, theirs):
    there = named(ours) | set(EVERYWHERE) | set(HERE.get((where, name), ())) | {"self", "cls"}
    return {n for n in theirs - there if not n.startswith("_")}


def test_every_name_of_pytorchs_is_taken(torch):
    seen, wrong = 0, []
    for where, name, ours, theirs in pairs(torch):
        kinds = {p.kind for p in parameters(ours)}
        if callable(ours) and (kinds or isinstance(ours, type)):
            seen += bool(theirs)
            missing = lacking(where, name, ours, theirs)
            if missing:
                wrong.append((where, name, sorted(missing)))
    assert seen > 600 and not wrong, wrong


def test_a_name_that_is_not_taken_is_found():
    assert lacking("torch", "add", lambda input, othr: 0, {"input", "other", "out"}) == {"other"}


# ---- out= ----------------------------------------------------------------------------------------
def functions_of_results():
    """(name, function): what gives new tensors, functions and methods."""
    for name, f in sorted({**vars(nn.functional), **vars(nn)}.items()):
        if inspect.isroutine(f) and not name.endswith("_") \
                and getattr(f, "__module__", "").startswith(("fastnn.ops.", "fastnn.creation")):
            yield f.__name__, f
    for name in dir(nn.Tensor):
        f = inspect.getattr_static(nn.Tensor, name)
        if callable(f) and not isinstance(f, type) and not name.startswith("_") and not name.endswith("_"):
            yield f"Tensor.{name}", f


def test_out_is_refused_with_what_to_write():
    x, seen, wrong = nn.ones(2, 2), 0, []
    for name, f in functions_of_results():
        # as many arguments as it needs: others would be missed first
        needed = [p for p in parameters(f) if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        with pytest.raises(nn.FastnnError) as caught:
            f(*[x]*max(1, len(needed)), out=x)
        told = str(caught.value)
        seen += "out= is not taken" in told
        if "out= is not taken" not in told or not re.search(r"y\.copy_\((nn|x)\.\w+\(", told):
            wrong.append((name, told))
    assert seen > 400 and {name for name, _ in wrong} <= {"Tensor.cuda"}, wrong


def test_out_of_what_gives_no_new_tensor_is_another_mistake():
    for call in (lambda: nn.Linear(2, out=3), lambda: nn.relu_(nn.ones(2), out=nn.ones(2)),
                 lambda: nn.save({}, "x", out=1)):
        with pytest.raises(nn.DTypeError, match="there is no argument 'out'"):
            call()


def test_every_entry_of_the_tables_has_a_reason_and_is_needed(torch):
    needed = {(where, name, n) for where, name, ours, theirs in pairs(torch) for n in theirs - named(ours)}
    assert all(len(why) > 10 for why in (*EVERYWHERE.values(), *(w for names in HERE.values() for w in names.values())))
    unused = [(*key, n) for key, names in HERE.items() for n in names if (*key, n) not in needed]
    assert not unused, unused


# ---- order ---------------------------------------------------------------------------------------
# What is another argument in that place, or has another name there -> why.
PLACES = {
    ("torch", "seed"): "PyTorch's takes nothing, ours the seed", ("Tensor", "uniform_"): "from is a word of Python's",
    ("torch.nn", "Sequential.extend"): "any iterable of modules is taken",
    **{("torch.nn.functional", name): "PyTorch's third is _stacklevel"
       for name in ("softmax", "log_softmax", "softmin")},
    ("torch.nn.functional", "fractional_max_pool2d"): "the schema is that of the kernel",
    **{(where, name): "one name for sections and indices" for where in ("torch", "Tensor")
       for name in ("dsplit", "hsplit", "vsplit", "tensor_split")},
}


def in_order(function):
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [p.name for p in parameters(function) if p.kind in kinds and p.name not in ("self", "cls")]


def contradicts(ours, theirs):
    """Whether an argument stands in another place than in each of PyTorch's forms. What is ours
    alone may follow, and what we take by name alone may be missing.
    """
    return bool(theirs) and not any(form[:len(ours)] == ours[:len(form)] for form in theirs)


def test_arguments_stand_in_pytorchs_order(torch):
    forms = {}
    for schema in torch._C._jit_get_all_schemas():
        if schema.name.startswith("aten::") and "Dimname" not in str(schema):
            forms.setdefault(schema.name[6:], []).append([a.name for a in schema.arguments if not a.kwarg_only])
    rooms = {"torch": torch, "Tensor": torch.Tensor, "torch.nn": torch.nn, "torch.nn.functional": torch.nn.functional,
             "torch.nn.init": torch.nn.init, "torch.nn.utils": torch.nn.utils, "torch.autograd": torch.autograd,
             "torch.optim": torch.optim, "lr_scheduler": torch.optim.lr_scheduler,
             "torch.utils.data": torch.utils.data}
    seen, wrong = 0, []
    for where, name, ours, _ in pairs(torch):
        g = rooms[where]
        for part in name.split("."):
            g = getattr(g, part)
        first = ("self", "input") if where == "Tensor" or "." in name else ()
        theirs = [in_order(g)] if in_order(g) else forms.get(name, [])
        theirs = [["input" if n == "self" else n for n in form if n not in first] for form in theirs]
        order = [n for n in in_order(ours) if n not in first]
        takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters(ours))
        seen += bool(theirs)
        if not takes_any and contradicts(order, theirs) and (where, name) not in PLACES:
            wrong.append((where, name, order, theirs))
    assert seen > 600 and not wrong, wrong


def test_an_argument_in_another_place_is_found():
    assert contradicts(["input", "dim", "p"], [["input", "p", "dim"]])
    assert not contradicts(["input", "p"], [["input", "p", "dim"]])
