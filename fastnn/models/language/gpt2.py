"""GPT-2: a decoder of masked attention that predicts the next token.

Radford, Wu, Child, Luan, Amodei, Sutskever (2019), "Language models are unsupervised multitask
learners". Attention: Vaswani et al. (2017), arXiv:1706.03762.

Idea: the model reads tokens and says at each place how likely every token is to come next. Nothing
else is trained, and translating, answering and summing up come with it. A mask keeps each place
from seeing later ones, so one pass over a text of T tokens trains T predictions.

    layer                                          output             parameters, small
    transformer.wte   embedding of the token       (T, D)                    38,597,376
    transformer.wpe   embedding of the place       (T, D)                       786,432
    transformer.h.i   x + attn(ln_1(x))            (T, D)                12 x 2,363,904
                      x + mlp(ln_2(x))             (T, D)                12 x 4,723,968
    transformer.ln_f  layer norm                   (T, D)                         1,536
    lm_head           scores of all tokens         (T, V)          the weight of wte, V x D
                                                                            124,439,808

Letters: T tokens at most n_positions, V = vocab_size, D = n_embd, NH = n_head, HS = D/NH.

How it deviates from the paper: not at all. From transformers: one rate of dropout stands for three,
0 unless told otherwise; there are no masks for padding, and no cache of keys and values. Names are
transformers', so its weights load here and ours load there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import functional as F
from ... import init
from ...creation import arange
from ...errors import DTypeError, RangeError, ShapeError
from ...layers import Embedding, LayerNorm, Linear, Module, ModuleList
from ...layers.sizes import need_sizes
from ...tensor import Parameter, Tensor

__all__ = ["GPT2LMHeadModel"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"), "gelu": F.gelu, "relu": F.relu}


class Conv1D(Linear):
    """A linear layer whose weight is (in, out) in a state_dict, as GPT-2's files have it."""

    def _collect_state(self, state: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        super()._collect_state(state, prefix, keep_vars)
        state[f"{prefix}weight"] = state[f"{prefix}weight"].t()  # a view: loading writes through it


class Attention(Module):
    """Every place looks back at all places before it. (B, T, D) -> (B, T, D)"""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.c_attn, self.c_proj = Conv1D(width, 3*width), Conv1D(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.c_attn(x).reshape(B, T, 3, self.heads, D//self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True,         # (B, NH, T, HS)
                                           dropout_p=self.dropout if self.training else 0.0)
        return F.dropout(self.c_proj(y.transpose(1, 2).reshape(B, T, D)), self.dropout, self.training)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        B, T, D = output.shape
        return B*2*T*T*D                            # q k^T and p v, counted without the mask


class MLP(Module):
    """Two linear layers, four times as wide in between. (B, T, D) -> (B, T, D)"""

    def __init__(self, width: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.activation, self.dropout = activation, dropout
        self.c_fc, self.c_proj = Conv1D(width, 4*width), Conv1D(4*width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.c_proj(ACTIVATIONS[self.activation](self.c_fc(x)))
        return F.dropout(y, self.dropout, self.training)


class Block(Module):
    """Attention, then the perceptron, each added to what came in. (B, T, D) -> (B, T, D)"""

    def __init__(self, width: int, heads: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.ln_1, self.attn = LayerNorm(width), Attention(width, heads, dropout)
        self.ln_2, self.mlp = LayerNorm(width), MLP(width, activation, dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2Model(Module):
    """From tokens (B, T) to features (B, T, D)."""

    def __init__(self, vocabulary: int, positions: int, width: int, layers: int, heads: int, activation: str,
                 dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.wte, self.wpe = Embedding(vocabulary, width), Embedding(positions, width)
        self.h = ModuleList([Block(width, heads, activation, dropout) for _ in range(layers)])
        self.ln_f = LayerNorm(width)

    def forward(self, input_ids: Tensor) -> Tensor:
        if not isinstance(input_ids, (Tensor, np.ndarray)):
            raise DTypeError(who="GPT2Model", expected="tokens as a tensor of whole numbers",
                             got=type(input_ids).__name__, hint="Wrap them in nn.tensor(...).")
        T, most = input_ids.shape[-1], self.wpe.num_embeddings
        if input_ids.ndim != 2 or T > most:
            raise ShapeError(who="GPT2Model", expected=f"tokens of shape (B, T), T at most n_positions = {most}",
                             got=input_ids.shape)
        x = F.dropout(self.wte(input_ids) + self.wpe(arange(T)), self.dropout, self.training)
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class Head(Linear):
    """The scores of all tokens: a linear layer over a weight that belongs to another layer."""

    def __init__(self, weight: Parameter) -> None:
        Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.weight = weight
        self.register_parameter("bias", None)


class GPT2LMHeadModel(Module):
    """GPT-2 with the head that predicts tokens; the defaults are those of its small form.

    Parameters
    ----------
    vocab_size, n_positions, n_embd, n_layer, n_head : int
        V, the most tokens, D, blocks, NH; NH divides D.
    activation_function : "gelu_new", "gelu" or "relu"
        "gelu_new" is GELU by tanh, as the paper has it.
    dropout : float
        Probability of dropping attention weights, branches and the sum of embeddings in training.

    Called as model(input_ids): scores (B, T, V) of the tokens that come next. As model(input_ids,
    labels): (loss, scores), where labels are tokens (B, T), mostly input_ids itself; the scores at
    place t are compared with the label at t + 1, and labels of -100 do not count.

    Raises
    ------
    RangeError
        Sizes below 1, an unknown activation, dropout that is no probability.
    ShapeError
        A width that the heads do not divide; more than n_positions tokens, labels of another shape
        than the tokens.
    DTypeError
        Sizes that are no whole numbers, tokens that are no tensor.

    >>> import fastnn as nn
    >>> model = nn.models.GPT2LMHeadModel(65, n_positions=32, n_embd=48, n_layer=2, n_head=4)
    >>> tokens = nn.zeros(2, 8, dtype="int64")
    >>> loss, scores = model(tokens, labels=tokens)
    >>> scores.shape
    (2, 8, 65)
    """

    def __init__(self, vocab_size: int = 50257, n_positions: int = 1024, n_embd: int = 768, n_layer: int = 12,
                 n_head: int = 12, activation_function: str = "gelu_new", dropout: float = 0.0) -> None:
        super().__init__()
        need_sizes("GPT2LMHeadModel", -math.inf, vocab_size=vocab_size, n_positions=n_positions,
                   n_embd=n_embd, n_layer=n_layer, n_head=n_head)
        self.settings: dict[str, Any] = {
            "vocab_size": vocab_size, "n_positions": n_positions, "n_embd": n_embd, "n_layer": n_layer,
            "n_head": n_head, "activation_function": activation_function, "dropout": dropout}
        if min(vocab_size, n_positions, n_embd, n_layer, n_head) < 1:
            raise RangeError(who="GPT2LMHeadModel", expected="sizes of at least 1", got=self.settings)
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise RangeError(who="GPT2LMHeadModel", expected="dropout from 0 to 1", got=repr(dropout))
        if n_embd % n_head:
            raise ShapeError(who="GPT2LMHeadModel", expected=f"n_embd that n_head = {n_head} divides", got=n_embd)
        if not isinstance(activation_function, str) or activation_function not in ACTIVATIONS:
            raise RangeError(who="GPT2LMHeadModel", expected=f"activation_function one of {', '.join(ACTIVATIONS)}",
                             got=repr(activation_function))
        self.transformer = GPT2Model(vocab_size, n_positions, n_embd, n_layer, n_head, activation_function, dropout)
        self.lm_head = Head(self.transformer.wte.weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights from N(0, 0.02), those that end a branch divided by sqrt(2 n_layer), biases 0."""
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                init.normal_(p, std=0.02/math.sqrt(2*self.settings["n_layer"]))
            elif p.ndim == 2:
                init.normal_(p, std=0.02)
            elif name.endswith("bias"):
                init.zeros_(p)

    def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> Any:
        scores = self.lm_head(self.transformer(input_ids))                  # (B, T, V)
        if labels is None:
            return scores
        if not isinstance(labels, (Tensor, np.ndarray)) or labels.shape != input_ids.shape:
            raise ShapeError(who="GPT2LMHeadModel", expected=f"labels of the tokens' shape {input_ids.shape}",
                             got=getattr(labels, "shape", type(labels).__name__))
        V = scores.shape[-1]
        return F.cross_entropy(scores[:, :-1].reshape(-1, V), labels[:, 1:].reshape(-1)), scores
