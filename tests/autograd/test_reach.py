"""grad and backward(inputs=): what runs is what leads to the tensors that are wanted, and no more.
PyTorch is the standard: graphs are drawn, and the same is computed in both.
"""

import random

import pytest

import fastnn as nn


def leaf(*values):
    return nn.tensor([float(v) for v in values], requires_grad=True)


def drawn(seed, engine):
    """The tensors of a random graph, each with a hook that notes its number, and these notes."""
    r, seen = random.Random(seed), []
    made = [engine.tensor([float(r.randint(1, 3)), float(r.randint(1, 3))], requires_grad=True) for _ in range(3)]
    for _ in range(8):
        a, b = r.choice(made), r.choice(made)
        made.append(r.choice([lambda: a * b, lambda: a + b, lambda: a * 2, lambda: (a + b).unbind()[0] * a])())
    for i, t in enumerate(made):
        t.register_hook(lambda g, i=i: seen.append(i))
        if i % 2:
            t.retain_grad()
    return made, seen


def numbers(tensors):
    return [None if t is None else t.tolist() for t in tensors]


@pytest.mark.parametrize("how", ["backward", "grad", "grad on the tape"])
def test_which_hooks_run_and_who_gets_a_gradient(how, torch):
    for seed in range(60):
        results = []
        for engine in (torch, nn):
            made, seen = drawn(seed, engine)
            r = random.Random(seed)
            wanted = r.sample(made, r.randint(1, 3))
            loss = made[-1].sum() + made[-2].sum()
            if how == "backward":
                loss.backward(inputs=wanted)
                got = ()
            else:
                got = engine.autograd.grad(loss, wanted, allow_unused=True, create_graph=how == "grad on the tape")
            grads = [t.grad for i, t in enumerate(made)
                     if t.is_leaf or i % 2 or (how == "backward" and any(t is w for w in wanted))]
            results.append((sorted(seen), numbers(got), numbers(grads)))
        assert results[0] == results[1], seed


def test_a_node_that_is_not_needed_stays_for_another_walk():
    """Neither run nor freed: above what is wanted, and beside it."""
    a, b = leaf(1, 2), leaf(3, 4)
    h, side = a * b, b * b
    assert nn.autograd.grad((h * 2 + side).sum(), h)[0].tolist() == [2, 2]
    assert nn.autograd.grad((h + side).sum(), [a, b])[1].tolist() == [7, 10]


def test_a_graph_that_was_freed(torch):
    """It counts only where it may lead to what is wanted."""
    for engine in (torch, nn):
        a = engine.tensor([1.0, 2.0], requires_grad=True)
        h = a * a
        h.sum().backward()
        assert engine.autograd.grad((h * h).sum(), h)[0].tolist() == [2, 8]
        with pytest.raises(RuntimeError if engine is torch else nn.GraphError, match="second time"):
            engine.autograd.grad((h * h).sum(), [h, a])


def test_inputs_as_a_dict(torch):
    for engine in (torch, nn):
        x, y = (engine.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        found = engine.autograd.grad((x * x * y).sum(), {"x": x, "y": y})
        assert {name: g.tolist() for name, g in found.items()} == {"x": [2, 8], "y": [1, 4]}
        (x * y).sum().backward(inputs={"x": x})
        assert x.grad.tolist() == [1, 2] and y.grad is None


def test_lists_of_gradients(torch):
    """One tensor, a list of one, and a list of numbers for one output."""
    for engine in (torch, nn):
        x = engine.tensor([1.0, 2.0], requires_grad=True)
        for given in (engine.ones(2), [engine.ones(2)]):
            for outputs in (x * x, [x * x]):
                assert engine.autograd.grad(outputs, x, given)[0].tolist() == [2, 4]
        with pytest.raises(RuntimeError if engine is torch else nn.ShapeError):
            engine.autograd.grad([x.sum(), x.sum()], x, [engine.tensor(1.0)])
    assert nn.autograd.grad(x * x, x, [1.0, 10.0])[0].tolist() == [2, 40]
    with pytest.raises(nn.ShapeError, match=r"backward: there are fewer upstream gradients.*expected 2, got 1"):
        nn.autograd.backward([x.sum(), x.sum()], [None])


@pytest.mark.parametrize("inputs", [[], (), {}, [None], "x", [3], [nn.ones(2)], {"a": 1}, {1: nn.ones(2)}])
def test_no_inputs(inputs):
    x = leaf(1, 2)
    for call in (lambda: nn.autograd.grad(x.sum(), inputs, allow_unused=True), lambda: x.sum().backward(inputs=inputs)):
        with pytest.raises((nn.GraphError, nn.DTypeError), match=r"(grad|backward): .*inputs"):
            call()
    assert x.grad is None


def test_zeros_for_what_was_not_used(torch):
    for engine in (torch, nn):
        x, y = (engine.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        for create in (False, True):
            zeros = engine.autograd.grad((x * x).sum(), [x, y], materialize_grads=True, create_graph=create)[1]
            assert zeros.tolist() == [0, 0] and zeros.requires_grad is create
    zeros = nn.autograd.grad(x * x, [x, y], nn.eye(2), is_grads_batched=True, materialize_grads=True)[1]
    assert zeros.shape == (2, 2)


# ---- the handle of a hook ------------------------------------------------------------------------
@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 1])
def test_a_hook_is_taken_away_by_its_handle(make, torch):
    for engine in (torch, nn):
        x, seen = engine.tensor([1.0], requires_grad=True), []
        t = make(x)
        kept = t.register_hook(lambda g: seen.append("kept"))
        once = t.register_hook(lambda g: (seen.append("once"), once.remove()) and None)
        for _ in range(2):
            t.sum().backward(retain_graph=True)
        with t.register_hook(lambda g: seen.append("with")):
            t.sum().backward(retain_graph=True)
        kept.remove()
        t.sum().backward()
        assert seen == ["kept", "once", "kept", "kept", "with"], engine
    assert isinstance(kept, nn.layers.RemovableHandle) and nn.layers.RemovableHandle is nn.autograd.RemovableHandle


def test_what_is_no_hook():
    with pytest.raises(nn.DTypeError, match="register_hook: expected a hook that can be called, got int"):
        leaf(1).register_hook(3)
