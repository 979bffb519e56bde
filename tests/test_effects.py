"""What arguments of PyTorch's do that are rarely given: each at another value than its default,
against PyTorch itself.
"""

import numpy as np
import pytest

import fastnn as nn
from tests.second_opinion import array, close

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((2, 4, 3)).astype(np.float32)
W = rng.uniform(0.5, 2, (4, 3)).astype(np.float32)


def plain(value):
    """Tensors of both as (dtype, shape, numbers), inside whatever holds them."""
    if hasattr(value, "detach"):
        return str(array(value).dtype), tuple(value.shape), array(value).tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def same(torch, call, what=""):
    """call(library, its nn) gives equal structures, types and numbers."""
    assert plain(call(nn, nn)) == plain(call(torch, torch.nn)), what


# ---- losses and attention ------------------------------------------------------------------------
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weights_of_elements(torch, name, reduction):
    found = []
    for lib, F in ((nn, nn.functional), (torch, torch.nn.functional)):
        x = lib.tensor(X.copy(), requires_grad=True)
        loss = getattr(F, name)(x, lib.tensor(Y.copy()), reduction=reduction, weight=lib.tensor(W.copy()))
        loss.sum().backward()
        found.append((loss, x.grad))
    close(found[0][0], found[1][0], name)
    close(found[0][1], found[1][1], f"{name}, gradient")
    with pytest.raises(nn.ShapeError, match="weight"):
        getattr(nn.functional, name)(nn.tensor(X), nn.tensor(Y), weight=nn.tensor(W[0]))


@pytest.mark.filterwarnings("ignore")               # PyTorch's: size_average and reduce are old
@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "kl_div", "soft_margin_loss"])
def test_older_names_of_reductions(torch, name, size_average, reduce):
    settings = {"size_average": size_average, "reduce": reduce}
    got = getattr(nn.functional, name)(nn.tensor(X), nn.tensor(Y), **settings)
    close(got, getattr(torch.nn.functional, name)(torch.tensor(X), torch.tensor(Y), **settings), name)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_of_grouped_queries(torch, heads):
    q = rng.standard_normal((2, 4, 5, 8)).astype(np.float32)
    k, v = rng.standard_normal((2, 2, heads, 6, 8)).astype(np.float32)
    got, want = (lib.scaled_dot_product_attention(*map(make, (q, k, v)), enable_gqa=True)
                 for lib, make in ((nn.functional, nn.tensor), (torch.nn.functional, torch.tensor)))
    close(got, want)


# ---- hooks ---------------------------------------------------------------------------------------
def hooks(lib, layers):
    """What hooks of every kind were called with, in their order."""
    log = []

    def note(name):
        return lambda module, *args: log.append((name, [type(a).__name__ for a in args]))

    layer = layers.Linear(2, 2)
    for add in (layer.register_forward_hook, layer.register_forward_pre_hook):
        name = add.__name__
        add(note(f"{name} 1"))
        add(note(f"{name} 2, first"), prepend=True)
        add(note(f"{name} 3, keywords"), with_kwargs=True)
    layer.register_forward_hook(note("always"), always_call=True)
    layer(lib.ones(1, 2))
    layer(input=lib.ones(1, 2))
    with pytest.raises(Exception, match=r"\(1, 3\)|1x3"):
        layer(lib.ones(1, 3))
    layer.register_forward_pre_hook(lambda module, args, kwargs: ((), {"input": args[0] * 2}), with_kwargs=True)
    layer.register_forward_hook(lambda module, args, kwargs, y: kwargs["input"], with_kwargs=True)
    return [*log, layer(lib.ones(1, 2)).tolist()]


def failing(lib, layers):
    """A hook fails behind a hook that replaced the output: what is called in spite of it."""
    log, layer = [], layers.ReLU()

    def fails(module, inputs, y):
        raise ValueError("of the hook")

    layer.register_forward_hook(lambda module, inputs, y: y + 1)
    layer.register_forward_hook(fails)
    layer.register_forward_hook(lambda module, inputs, y: log.append("not called"))
    layer.register_forward_hook(lambda module, inputs, y: log.append(y.tolist()), always_call=True)
    with pytest.raises(ValueError, match="of the hook"):
        layer(lib.ones(2))
    return log


def test_hooks_are_called_as_pytorchs(torch):
    same(torch, hooks)
    same(torch, failing)
    assert failing(nn, nn) == [[2.0, 2.0]]


# ---- random numbers ------------------------------------------------------------------------------
DRAWS = {
    "rand": lambda g: nn.rand(8, generator=g), "randn": lambda g: nn.randn(8, generator=g),
    "randint": lambda g: nn.randint(0, 10**6, (8,), generator=g), "randperm": lambda g: nn.randperm(50, generator=g),
    "normal": lambda g: nn.normal(0.0, 1.0, (8,), generator=g),
    "bernoulli": lambda g: nn.bernoulli(nn.full((64,), 0.5), generator=g),
    "multinomial": lambda g: nn.multinomial(nn.ones(50), 20, generator=g),
    **{f"Tensor.{name}": lambda g, name=name: getattr(nn.zeros(64), name)(generator=g)
       for name in ("uniform_", "normal_", "random_", "bernoulli_")},
    **{f"init.{name}": lambda g, name=name: getattr(nn.init, name)(nn.zeros(6, 6), generator=g)
       for name in ("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
                    "kaiming_normal_", "orthogonal_")},
    **{name: lambda g, name=name: getattr(nn, name)(nn.zeros(8), *((99999,) if "int" in name else ()), generator=g)
       for name in ("rand_like", "randn_like", "randint_like")},
    "DataLoader": lambda g: nn.cat([b for b, in nn.data.DataLoader(nn.data.TensorDataset(nn.arange(20)), shuffle=True,
                                                                   generator=g)]),
    "random_split": lambda g: nn.tensor(nn.data.random_split(range(20), [0.5, 0.5], generator=g)[0].indices),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_is_a_stream_of_its_own(name):
    draw, g = DRAWS[name], nn.Generator()
    nn.manual_seed(0)
    alone = nn.rand(5).tolist()
    g.manual_seed(5)
    nn.manual_seed(0)
    first, second = draw(g).tolist(), draw(g).tolist()
    assert nn.rand(5).tolist() == alone             # the global stream stood still
    g.manual_seed(5)
    assert draw(g).tolist() == first != second      # and the generator did not follow it


def test_seeds_are_pytorchs(torch):
    """Those of 64 bits, with a sign or without."""
    for seed in (0, 1, 2**63 - 1, 2**63, 2**64 - 1, -1, -2**63):
        assert nn.Generator().manual_seed(seed).initial_seed() == torch.Generator().manual_seed(seed).initial_seed()
    nn.manual_seed(-1)
    below = nn.rand(3).tolist()
    nn.manual_seed(2**64 - 1)
    assert nn.rand(3).tolist() == below
    for seed in (2**64, -2**63 - 1, 2**70):
        for lib, error in ((torch, ValueError), (nn, nn.RangeError)):
            for call in (lib.manual_seed, lib.Generator().manual_seed):
                with pytest.raises(error):
                    call(seed)


def test_axes_of_einsum_in_any_row_of_numbers(torch):
    for axes in ([0, 1], (0, 1), range(2)):
        close(nn.einsum(nn.tensor(X), axes, nn.tensor(W), [0, 1], [0]),
              torch.einsum(torch.tensor(X), axes, torch.tensor(W), [0, 1], [0]))
    close(nn.einsum(nn.tensor(X), nn.tensor([0, 1]), [1]), torch.einsum(torch.tensor(X), torch.tensor([0, 1]), [1]))
    close(nn.einsum(nn.tensor(X), np.array([0, 1]), [1]), X.sum(0))


# ---- gradients -----------------------------------------------------------------------------------
def leaves(lib):
    return (lib.tensor(values, requires_grad=True) for values in ([1.0, 2.0], [3.0, 4.0]))


@pytest.mark.parametrize("retained", [False, True])
@pytest.mark.parametrize("chosen", ["x", "w", "xw", "h", "xh"])
def test_backward_into_some(torch, chosen, retained):
    def call(lib, layers):
        x, w = leaves(lib)
        h = x * w
        if retained or "h" in chosen:               # PyTorch keeps that of a result in any case
            h.retain_grad()
        known = {"x": x, "w": w, "h": h}
        (h * h).sum().backward(inputs=[known[name] for name in chosen], retain_graph=True)
        (h * h).sum().backward(inputs=known[chosen[0]])
        return [x.grad, w.grad, h.grad if "h" in chosen else None]
    same(torch, call)


def test_backward_into_a_result_without_retain_grad():
    x, w = leaves(nn)
    h = x * w
    (h * h).sum().backward(inputs=h)
    assert h.grad.tolist() == [6.0, 16.0] and x.grad is None


@pytest.mark.parametrize("settings", [{"materialize_grads": True}, {"allow_unused": True},
                                      {"materialize_grads": True, "allow_unused": True},
                                      {"materialize_grads": True, "create_graph": True}, {"only_inputs": True,
                                                                                          "allow_unused": True}])
def test_gradients_of_what_was_not_used(torch, settings):
    def call(lib, layers):
        x, w = leaves(lib)
        return lib.autograd.grad((x * x).sum(), [x, w], **settings)
    same(torch, call)


# ---- functions -----------------------------------------------------------------------------------
CALLS = {
    "einsum, a product": lambda lib, a: lib.einsum(a, [0, 1], a, [2, 1], [0, 2]),
    "einsum, no result": lambda lib, a: lib.einsum(a, [0, 1], a, [2, 1]),
    "einsum, ellipsis": lambda lib, a: lib.einsum(a, [..., 1], a, [..., 1], [...]),
    "einsum, the last axis": lambda lib, a: lib.einsum(a, [..., 51], [...]),
    "einsum, a sum": lambda lib, a: lib.einsum(a, [0, 1], []),
    "max of two": lambda lib, a: lib.max(a, other=a.flip(1)),
    "min of two": lambda lib, a: lib.min(a, other=a.flip(1)),
    "max of two, method": lambda lib, a: a.max(other=a[:1]),
    "max of two types": lambda lib, a: lib.max(a, other=lib.tensor([3, 1, 2])),
    "view": lambda lib, a: [a.view(size=(3, 4)), a.view(size=[-1]), a.reshape(shape=(2, 6))],
    "copy_": lambda lib, a: [lib.zeros(4, 3).copy_(a, non_blocking=True),
                             lib.ones(2, 3, dtype=lib.float64).copy_(a[0])],
    **{f"round, {d}": lambda lib, a, d=d: [lib.round(a * 128, decimals=d), (a * 128).round_(decimals=d)]
       for d in (0, 1, -1, -2)},
    **{f"randperm, {name}": lambda lib, a, name=name: lib.randperm(9, dtype=getattr(lib, name)).sort()[0]
       for name in ("int16", "int32", "int64", "float32", "float64")},
}


@pytest.mark.parametrize("name", CALLS)
def test_functions(torch, name):
    got, want = (CALLS[name](lib, lib.tensor(X.copy())) for lib in (nn, torch))
    pairs = zip(got, want) if isinstance(want, list) else [(got, want)]
    for ours, theirs in pairs:
        close(ours, theirs, name)


# ---- names that were missing ---------------------------------------------------------------------
NAMES = {
    "exp_": lambda lib, a: lib.exp_(input=a), "clamp_": lambda lib, a: lib.clamp_(input=a, min=0.0, max=0.5),
    "detach": lambda lib, a: lib.detach(input=a), "xlogy_": lambda lib, a: lib.xlogy_(input=a, other=a.abs() + 1),
    "to": lambda lib, a: a.to(tensor=lib.ones(1, dtype=lib.float64)),
    "isin, a number": lambda lib, a: lib.isin(element=2, test_elements=lib.tensor([2, 3])),
    "isin, in a number": lambda lib, a: lib.isin(elements=lib.tensor([2, 3]), test_element=2),
    "uniform_": lambda lib, a: a.uniform_(**{"from": 2.0, "to": 2.0}),
    "random_": lambda lib, a: a.random_(**{"from": 3, "to": 4}),
    "RMSNorm": lambda lib, a: (lib.nn if lib.__name__ == "torch" else lib).RMSNorm(3, eps=1e-5)(x=a),
    "EmbeddingBag": lambda lib, a: (lib.nn if lib.__name__ == "torch" else lib).EmbeddingBag(
        4, 3, None, 2.0, False, "sum", False, a, False)(lib.tensor([1, 2]), lib.tensor([0, 1])),
    "Embedding": lambda lib, a: (lib.nn if lib.__name__ == "torch" else lib).Embedding(
        4, 3, _weight=a, _freeze=True)(lib.tensor([[3, 0]])),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_were_missing(torch, name):
    got, want = (NAMES[name](lib, lib.tensor(X.copy())) for lib in (nn, torch))
    close(got, want, name)
    assert got.requires_grad == want.requires_grad


def test_names_that_are_refused():
    x = nn.ones(2, 2)
    for call, told in ((lambda: nn.exp_(inptu=x), "exp_: expected a tensor, got nothing"),
                       (lambda: nn.clamp_(input=x, mni=1.0), "there is no argument 'mni'"),
                       (lambda: x.uniform_(frm=1.0), "there is no argument 'frm'"),
                       (lambda: x.view(dtype=nn.int32), "the bits are not read as another type"),
                       (lambda: x.view(nn.int32), "the bits are not read as another type"),
                       (lambda: nn.isin(element=1), "isin: expected test_elements"),
                       (lambda: nn.Embedding(3, 2, _weight=x), r"Embedding: expected _weight \(3, 2\)")):
        with pytest.raises(nn.FastnnError, match=told):
            call()


# ---- modules and their states --------------------------------------------------------------------
def containers(lib, M):
    modules = M.ModuleDict([("b", M.Linear(1, 2)), ("a", M.ReLU())])
    modules.update([["c", M.Tanh()]])
    return [list(modules), list(M.ParameterDict([("q", M.Parameter(lib.ones(2)))]))]


def states(lib, M):
    model, state = M.Sequential(M.Linear(2, 2), M.BatchNorm1d(2)), {}
    given = model.state_dict(destination=state, prefix="net.", keep_vars=True)
    return [given is state, list(state), [(type(v).__name__, v.requires_grad) for v in state.values()],
            state["net.0.weight"] is model[0].weight, [v.requires_grad for v in model.state_dict().values()]]


def named(lib, M):
    twice = M.Linear(2, 2)
    model = M.Sequential(twice, twice, M.BatchNorm1d(2))
    return [[name for name, _ in walk(remove_duplicate=once)] for once in (True, False)
            for walk in (model.named_parameters, model.named_modules, model.named_buffers)]


@pytest.mark.parametrize("call", [containers, states, named])
def test_modules(torch, call):
    same(torch, call)


def test_files_are_loaded_with_pytorchs_arguments(tmp_path):
    nn.save({"a": nn.ones(2)}, tmp_path / "a.npz")
    for settings in ({"map_location": "cpu"}, {"map_location": nn.device("cpu")}, {"weights_only": True},
                     {"weights_only": False}, {"map_location": lambda storage, place: storage}):
        assert nn.load(tmp_path / "a.npz", **settings)["a"].tolist() == [1.0, 1.0]
    with pytest.raises(nn.RangeError, match="map_location"):
        nn.load(tmp_path / "a.npz", map_location="cuda")


# ---- loaders -------------------------------------------------------------------------------------
class Samples:
    """Seven samples, made by a function of their numbers."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 7

    def __getitem__(self, i):
        return self.make(i)


def point(i):
    return np.full(2, i, np.float32)


SAMPLES = {"pairs": lambda i: (point(i), i), "lists": lambda i: [point(i), i],
           "dicts": lambda i: {"x": point(i), "y": i, "name": f"n{i}"},
           "nested": lambda i: ((point(i), i), {"y": i, "z": {"q": point(i)}})}
SETTINGS = {"batch_size": {"batch_size": 3}, "drop_last": {"batch_size": 3, "drop_last": True},
            "sampler": {"batch_size": 2, "sampler": [5, 3, 1, 0, 6]}, "single samples": {"sampler": [5, 3, 1]},
            "sampler and drop_last": {"batch_size": 2, "sampler": [1, 2, 3], "drop_last": True},
            "batch_sampler": {"batch_sampler": [[0, 1], [4], [6, 5, 2]]},
            "collate_fn": {"batch_size": 3, "collate_fn": len},
            "batch_sampler and collate_fn": {"batch_sampler": [[0], [1, 2]], "collate_fn": len}}


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("name", SETTINGS)
def test_batches_are_pytorchs(torch, name, samples):
    ours, theirs = (data.DataLoader(Samples(SAMPLES[samples]), **SETTINGS[name])
                    for data in (nn.data, torch.utils.data))
    assert len(ours) == len(theirs)
    assert plain(list(ours)) == plain(list(theirs)) and plain(list(ours)) == plain(list(theirs))


def test_samples_one_by_one(torch):
    ours, theirs = ([(x.tolist(), int(y)) for x, y in data.DataLoader(
        Samples(SAMPLES["pairs"]), batch_size=None, sampler=[4, 2])] for data in (nn.data, torch.utils.data))
    assert ours == theirs


@pytest.mark.parametrize("settings, told", [
    ({"sampler": ["a"]}, "sampler: expected indices, got 'a'"), ({"sampler": [0.5]}, "sampler: expected indices"),
    ({"batch_sampler": [3, 4]}, "batch_sampler: expected lists of indices, one a batch, got 3"),
    ({"batch_sampler": [[]]}, "at least one index a batch"), ({"batch_sampler": ["ab"]}, "batch_sampler")])
def test_samplers_that_give_no_indices(settings, told):
    with pytest.raises(nn.FastnnError, match=told):
        list(nn.data.DataLoader(Samples(int), **settings))


def test_fit_with_a_sampler_that_has_no_length():
    class Endless:
        def __iter__(self):
            return iter([2, 0, 1])

    loader = nn.data.DataLoader(Samples(SAMPLES["pairs"]), sampler=Endless())
    with pytest.raises(nn.DTypeError, match="number of batches is not known"):
        len(loader)
    assert len(nn.fit(nn.Linear(2, 7), loader, epochs=2, progress=False)) == 2


# ---- batches that are dicts, in training ---------------------------------------------------------
class OfDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 7)

    def forward(self, batch):
        return self.layer(batch["x"])


def test_a_dict_goes_to_the_model_and_one_without_target_is_refused():
    loader = nn.data.DataLoader(Samples(lambda i: ({"x": point(i)}, i)), batch_size=3)
    history = nn.fit(OfDict(), loader, valid=loader, epochs=1, progress=False)
    assert np.isfinite(history["loss"]).all() and 0 <= nn.evaluate(OfDict(), loader)["accuracy"] <= 1
    without = nn.data.DataLoader(Samples(SAMPLES["dicts"]), batch_size=3)
    for who, call in (("fit", lambda: nn.fit(OfDict(), without, epochs=1, progress=False)),
                      ("evaluate", lambda: nn.evaluate(OfDict(), without))):
        with pytest.raises(nn.ShapeError, match=rf"{who}: a batch must be .* got dict. A sample is \(a dict, target\)"):
            call()
    for data in (loader, {"x": point(0)}, nn.data.TensorDataset(nn.ones(3, 2))):
        with pytest.raises(nn.DTypeError, match=r"predict, input: expected arrays or Tensors of shape \(N, ...\)"):
            nn.predict(OfDict(), data)
