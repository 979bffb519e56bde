"""GPT-2 against transformers': weights both ways, scores, gradients; and what it refuses."""

import copy
import pickle

import numpy as np
import pytest
from second_opinion import array, worst
from torchvision_shim import import_transformers

import fastnn as nn
from fastnn.errors import RangeError, ShapeError

SIZES = {"vocab_size": 65, "n_positions": 32, "n_embd": 48, "n_layer": 2, "n_head": 4}
# (in, out) in a state_dict, else (out, in)
TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def build(**settings):
    return nn.models.GPT2LMHeadModel(**{**SIZES, **settings})


def build_theirs(**settings):
    transformers = import_transformers()
    config = transformers.GPT2Config(**{**SIZES, **settings}, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                                     bos_token_id=0, eos_token_id=0)
    return transformers.GPT2LMHeadModel(config)


@pytest.mark.torch
@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu"])
def test_scores_and_gradients(activation, torch):
    theirs = build_theirs(activation_function=activation).double()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1*torch.randn(p.shape, dtype=p.dtype))         # biases and norms too
    ours = build(activation_function=activation).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    tokens = np.random.default_rng(0).integers(0, 65, (3, 20))
    loss, scores = ours(nn.tensor(tokens), labels=nn.tensor(tokens))
    their_scores = theirs(torch.tensor(tokens)).logits
    assert worst(scores.detach(), their_scores) < 1e-12
    their_loss = torch.nn.functional.cross_entropy(their_scores[:, :-1].reshape(-1, 65),
                                                   torch.tensor(tokens)[:, 1:].reshape(-1))
    assert abs(loss.item() - their_loss.item()) < 1e-12
    loss.backward()
    their_loss.backward()
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    for name, p in theirs.named_parameters():
        assert worst(gradients[name], p.grad.T if name.endswith(TRANSPOSED) else p.grad) < 1e-8, name


@pytest.mark.torch
def test_the_loss_is_theirs(torch):
    theirs, ours = build_theirs().double(), build().double()
    ours.load_state_dict(theirs.state_dict())
    tokens = np.random.default_rng(0).integers(0, 65, (2, 9))
    labels = np.where(np.arange(9) < 4, -100, tokens)               # the first do not count
    loss, _ = ours(nn.tensor(tokens), nn.tensor(labels))
    # theirs is computed in float32
    want = theirs(torch.tensor(tokens), labels=torch.tensor(labels)).loss.item()
    assert loss.item() == pytest.approx(want, rel=1e-6)


@pytest.mark.torch
def test_our_weights_load_there(torch):
    theirs, ours = build_theirs(), build()
    theirs.load_state_dict({key: torch.tensor(array(value)) for key, value in ours.state_dict().items()}, strict=True)
    tokens = np.random.default_rng(0).integers(0, 65, (2, 32))
    with torch.no_grad():
        assert worst(ours(nn.tensor(tokens)).detach(), theirs(torch.tensor(tokens)).logits) < 1e-4


def test_the_head_is_the_embedding():
    model = build()
    assert model.lm_head.weight is model.transformer.wte.weight
    assert sum(p.numel() for p in model.parameters()) == 65*48 + 32*48 + 2*(12*48**2 + 13*48) + 2*48
    (model(nn.zeros(1, 3, dtype="int64"))[..., 7].sum()).backward()
    assert (np.abs(model.lm_head.weight.grad.data[7]) > 0).any()


def test_a_state_is_in_and_out_and_shares_the_layers_memory():
    model = build()
    weight, state = model.transformer.h[0].mlp.c_fc.weight, model.state_dict()
    assert weight.shape == (192, 48) and state["transformer.h.0.mlp.c_fc.weight"].shape == (48, 192)
    assert np.shares_memory(weight.data, state["transformer.h.0.mlp.c_fc.weight"].data)
    other = build()
    other.load_state_dict(state)
    assert np.array_equal(other.transformer.h[0].mlp.c_fc.weight.data, weight.data)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
                         ids=["copy", "pickle"])
def test_copies_keep_the_shared_weight(again):
    model = build()
    other, tokens = again(model), nn.tensor(np.arange(12).reshape(2, 6))
    assert other.lm_head.weight is other.transformer.wte.weight is not model.lm_head.weight
    assert np.array_equal(other(tokens), model(tokens))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_it_comes_back_from_a_file(ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    model = build(dropout=0.5, activation_function="relu")
    nn.models.save(model, tmp_path/f"m.{ending}", note="x")
    again, info = nn.models.load(tmp_path/f"m.{ending}")
    assert again.settings == model.settings and info == {"note": "x"}
    tokens = nn.tensor(np.arange(20).reshape(2, 10))
    assert np.array_equal(again(tokens), model.eval()(tokens))


def test_no_place_sees_a_later_one():
    model = build().eval()
    tokens = np.random.default_rng(0).integers(0, 65, (1, 12))
    changed = tokens.copy()
    changed[0, 7] = (changed[0, 7] + 1) % 65
    before, after = (model(nn.tensor(t)).data[0] for t in (tokens, changed))
    same = np.abs(before - after).max(axis=1) == 0
    assert same.tolist() == [True]*7 + [False]*5


def test_dropout_works_in_training_alone():
    model, tokens = build(dropout=0.3), nn.tensor(np.arange(10).reshape(1, 10))
    assert not np.array_equal(model(tokens), model(tokens))
    model.eval()
    assert np.array_equal(model(tokens), model(tokens))


def test_it_learns_a_text_by_heart():
    model = build()
    tokens = nn.tensor(np.random.default_rng(0).integers(0, 65, (2, 16)))
    optimizer = nn.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss, _ = model(tokens, labels=tokens)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(65), abs=0.2) and losses[-1] < 0.2


@pytest.mark.parametrize("settings, error, words", [
    ({"n_head": 5}, ShapeError, "n_head = 5 divides, got 48"), ({"n_layer": 0}, RangeError, "at least 1"),
    ({"dropout": 1.5}, RangeError, "dropout from 0 to 1"),
    ({"activation_function": "swish"}, RangeError, "gelu_new, gelu, relu, got 'swish'")], ids=str)
def test_settings_that_make_no_sense(settings, error, words):
    with pytest.raises(error, match=words):
        build(**settings)


def test_too_many_tokens():
    with pytest.raises(ShapeError, match="T at most n_positions = 32, got \\(1, 33\\)"):
        build()(nn.zeros(1, 33, dtype="int64"))
    with pytest.raises(ShapeError, match="tokens of shape"):
        build()(nn.zeros(5, dtype="int64"))


@pytest.mark.parametrize("name", ["vocab_size", "n_positions", "n_embd", "n_layer", "n_head"])
@pytest.mark.parametrize("value", ["4", None, 2.5, [1]])
def test_a_size_that_is_no_whole_number_is_named(name, value):
    sizes = {"vocab_size": 10, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 2, name: value}
    with pytest.raises(nn.DTypeError, match=f"GPT2LMHeadModel: expected {name} as an int"):
        nn.models.GPT2LMHeadModel(**sizes)


def test_labels_and_tokens_that_do_not_fit_are_refused():
    model = nn.models.GPT2LMHeadModel(10, n_positions=8, n_embd=8, n_layer=1, n_head=2)
    tokens = nn.zeros(2, 4, dtype="int64")
    # (3, 3) has as many places after the first as (2, 4), and would be compared with others' scores
    for labels in (nn.zeros(3, 3, dtype="int64"), nn.zeros(2, 3, dtype="int64"), [[1] * 4] * 2, 3):
        with pytest.raises(nn.ShapeError, match=r"labels of the tokens' shape \(2, 4\)"):
            model(tokens, labels=labels)
    for wrong in (None, [[1, 2]], 3):
        with pytest.raises(nn.DTypeError, match="tokens as a tensor of whole numbers"):
            model(wrong)
    with pytest.raises(nn.RangeError, match="activation_function"):
        nn.models.GPT2LMHeadModel(10, n_positions=8, n_embd=8, n_layer=1, n_head=2, activation_function=[1])
