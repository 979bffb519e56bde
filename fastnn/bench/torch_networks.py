"""PyTorch's side of the published networks: what fastnn's models are raced against.

Each computes what ours does, in the way that is fastest in PyTorch. Parameters have the same names
and shapes as in our models, so that both begin with the same numbers.
"""

from __future__ import annotations

from typing import Any

__all__ = ["gpt2", "lenet", "resnet18"]


def lenet(torch: Any, num_classes: int = 10) -> Any:
    nn = torch.nn
    model = nn.Sequential()
    for name, module in (
            ("conv1", nn.Conv2d(1, 6, 5, padding=2)), ("relu1", nn.ReLU()), ("pool1", nn.MaxPool2d(2)),
            ("conv2", nn.Conv2d(6, 16, 5)), ("relu2", nn.ReLU()), ("pool2", nn.MaxPool2d(2)), ("flatten", nn.Flatten()),
            ("fc1", nn.Linear(400, 120)), ("relu3", nn.ReLU()), ("fc2", nn.Linear(120, 84)), ("relu4", nn.ReLU()),
            ("fc3", nn.Linear(84, num_classes))):
        model.add_module(name, module)
    return model


def resnet18(torch: Any, num_classes: int, small: bool) -> Any:
    """The small form: a 3 x 3 convolution and no pooling at the beginning."""
    nn, F = torch.nn, torch.nn.functional
    assert small
    Module: Any = nn.Module

    class Block(Module):
        def __init__(self, i: int, o: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
            self.downsample = (nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1
                               else nn.Identity())

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            return F.relu(y + self.downsample(x))

    class ResNet(Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            for number, (i, o) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), 1):
                stage = nn.Sequential(Block(i, o, 1 if i == o else 2), Block(o, o, 1))
                self.add_module(f"layer{number}", stage)
            self.fc = nn.Linear(512, num_classes)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.bn1(self.conv1(x)))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))
    return ResNet()


def gpt2(torch: Any, vocab_size: int, n_positions: int, n_embd: int, n_layer: int, n_head: int,
         activation_function: str = "gelu_new") -> Any:
    nn, F = torch.nn, torch.nn.functional
    approximate = {"gelu_new": "tanh", "gelu": "none"}[activation_function]
    Module: Any = nn.Module

    class Attention(Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(n_embd, 3*n_embd), nn.Linear(n_embd, n_embd)

        def forward(self, x: Any) -> Any:
            B, T, D = x.shape
            q, k, v = self.c_attn(x).reshape(B, T, 3, n_head, D//n_head).permute(2, 0, 3, 1, 4).unbind(0)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.transpose(1, 2).reshape(B, T, D))

    class MLP(Module):
        def __init__(self) -> None:
            super().__init__()
            self.c_fc, self.c_proj = nn.Linear(n_embd, 4*n_embd), nn.Linear(4*n_embd, n_embd)

        def forward(self, x: Any) -> Any:
            return self.c_proj(F.gelu(self.c_fc(x), approximate=approximate))

    class Block(Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(n_embd), Attention()
            self.ln_2, self.mlp = nn.LayerNorm(n_embd), MLP()

        def forward(self, x: Any) -> Any:
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class Transformer(Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocab_size, n_embd), nn.Embedding(n_positions, n_embd)
            self.h = nn.Sequential(*[Block() for _ in range(n_layer)])
            self.ln_f = nn.LayerNorm(n_embd)

        def forward(self, tokens: Any) -> Any:
            return self.ln_f(self.h(self.wte(tokens) + self.wpe.weight[:tokens.shape[1]]))

    class GPT2(Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = Transformer()
            self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
            self.lm_head.weight = self.transformer.wte.weight

        def forward(self, tokens: Any) -> Any:
            return self.lm_head(self.transformer(tokens))
    return GPT2()
