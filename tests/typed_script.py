"""What users write, for tests/test_user_types.py: mypy and pyright find nothing in it. Not to be
run.

`assert_type` fails in a checker unless it sees that very type; Any is none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import assert_type

import fastnn as nn
from fastnn import functional as F


class Net(nn.Module):
    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, hidden, 3)
        self.norm = nn.BatchNorm2d(hidden)
        self.act = nn.GELU() if hidden > 8 else nn.Identity()
        self.out = nn.Linear(hidden, 10)

    def forward(self, x: nn.Tensor, scale: float = 1.0) -> nn.Tensor:
        h = self.act(F.relu(self.norm(self.conv(x))))
        assert_type(h, nn.Tensor)
        return self.out(h.mean((2, 3))) * scale


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5)
        self.heads = nn.ModuleList([nn.Linear(5, 2)])

    def forward(self, x: nn.Tensor) -> tuple[nn.Tensor, list[str]]:
        y, (h, _c) = self.lstm(x)
        assert_type(h, nn.Tensor)
        return y, ["a"]


model, x = Net(), nn.randn(4, 1, 8, 8)

# ---- calls: what forward of the class returns ----------------------------------------------------
assert_type(model(x), nn.Tensor)
assert_type(model(x, scale=2.0), nn.Tensor)
assert_type(Tagger()(x), tuple[nn.Tensor, list[str]])
assert_type(nn.Linear(2, 3)(x), nn.Tensor)
assert_type(nn.LSTM(2, 3)(x), tuple[nn.Tensor, tuple[nn.Tensor, nn.Tensor]])
assert_type(nn.GRU(2, 3)(x), tuple[nn.Tensor, nn.Tensor])
assert_type(nn.MultiheadAttention(8, 2)(x, x, x), tuple[nn.Tensor, nn.Tensor | None])
assert_type(nn.CrossEntropyLoss()(x, x), nn.Tensor)
assert_type(nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU())(x), nn.Tensor)
assert_type(nn.MaxPool2d(2)(x), nn.Tensor)
assert_type(nn.Embedding(9, 3)(x), nn.Tensor)

# ---- modules -------------------------------------------------------------------------------------
assert_type(model.train(), Net)
assert_type(model.eval().to(np.float32).requires_grad_(False), Net)
assert_type(model.double().apply(print), Net)
assert_type(model.conv, nn.Conv2d)
assert_type(model.conv.weight, nn.Parameter)
assert_type(model.out.bias, nn.Parameter | None)
assert_type(model.parameters(), Iterator[nn.Parameter])
assert_type(model.state_dict(), dict[str, nn.Tensor])
assert_type(model.summary((1, 8, 8)), nn.Summary)
assert_type(nn.summary(model, (1, 8, 8)), nn.Summary)
stack = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
assert_type(stack[0], nn.Module)
assert_type(stack[:1], nn.Sequential)
assert_type(stack.append(nn.Linear(3, 1)), nn.Sequential)

# ---- tensors -------------------------------------------------------------------------------------
assert_type(nn.tensor([1, 2]), nn.Tensor)
assert_type(nn.Tensor([1, 2]), nn.Tensor)
assert_type(nn.zeros(2, 3), nn.Tensor)
assert_type(nn.from_numpy(np.ones(3)), nn.Tensor)
assert_type(x + 1, nn.Tensor)
assert_type(1 - x, nn.Tensor)
assert_type(x @ x, nn.Tensor)
assert_type(x == 1, nn.Tensor)
assert_type(x < 1, nn.Tensor)
assert_type(x[0, :2], nn.Tensor)
assert_type(x.sum(), nn.Tensor)
assert_type(x.max(), nn.Tensor)
assert_type(x.max(1).indices, nn.Tensor)
assert_type(x.reshape(2, -1).transpose(0, 1), nn.Tensor)
assert_type(x.argmax(1).float(), nn.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.size(), tuple[int, ...])
assert_type(x.size(0), int)
assert_type(x.grad, nn.Tensor | None)
x.register_hook(lambda g: g * 2).remove()
assert_type(nn.autograd.grad(x.sum(), x), tuple[nn.Tensor | None, ...])
assert_type(nn.autograd.grad(x.sum(), {"x": x}), dict[str, nn.Tensor | None])
assert_type(x.requires_grad, bool)
assert_type(x.allclose(x), bool)
assert_type(F.cross_entropy(x, x), nn.Tensor)
assert_type(F.softmax(x, -1), nn.Tensor)
assert_type(nn.relu(x), nn.Tensor)
assert_type(nn.nonzero(x), nn.Tensor)
assert_type(F.max_pool2d(x, 2), nn.Tensor)
assert_type(F.max_pool2d(x, 2, return_indices=True), tuple[nn.Tensor, nn.Tensor])
assert_type(F.max_pool1d(x, 2), nn.Tensor)
assert_type(F.adaptive_max_pool1d(x, 2), nn.Tensor)
assert_type(F.adaptive_max_pool2d(x, 2, return_indices=True), tuple[nn.Tensor, nn.Tensor])
assert_type(nn.unique(x), nn.Tensor)
assert_type(nn.unique(x, return_counts=True), tuple[nn.Tensor, ...])
assert_type(x.unique(return_inverse=True), tuple[nn.Tensor, ...])
assert_type(nn.unique_consecutive(x), nn.Tensor)
array: np.ndarray = x.detach().numpy()

# ---- training ------------------------------------------------------------------------------------
train = nn.data.digits("train")
loader = nn.data.DataLoader(train, batch_size=64, shuffle=True)
optimizer = nn.optim.Adam(model.parameters(), lr=1e-3)
schedule = nn.optim.CosineAnnealingLR(optimizer, 10)
assert_type(schedule.get_last_lr(), list[float])
warm_up = nn.optim.WarmupLR(optimizer, 5, schedule)
assert_type(optimizer.register_step_post_hook(print).remove(), None)
for images, labels in loader:
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    assert_type(optimizer.step(), None)
with nn.no_grad():
    model(x)


@nn.no_grad
def measured(images: nn.Tensor) -> float:
    return float(model(images).sum())


@nn.inference_mode()
def chosen(images: nn.Tensor) -> nn.Tensor:
    with nn.enable_grad(), nn.set_grad_enabled(False):
        return model(images).argmax(1)


assert_type(measured(x), float)
assert_type(chosen(x), nn.Tensor)
assert_type(nn.inference_mode(chosen)(x), nn.Tensor)
assert_type(nn.predict(model, x), nn.Tensor)
assert_type(nn.predict(Tagger(), x, batch_size=2), tuple[nn.Tensor, list[str]])
history = nn.fit(model, train, epochs=2, optimizer=optimizer, metrics={}, progress=False)
assert_type(history, nn.History)
assert_type(history.plot(), nn.viz.Svg)
assert_type(nn.evaluate(model, train), dict[str, float])
nn.save(model.state_dict(), Path("model.npz"))
assert_type(nn.load("model.npz"), dict[str, Any])
assert_type(model.load_state_dict(nn.load("model.npz")), nn.layers.LoadReport)
assert_type(nn.models.get_model("lenet"), nn.Module)
assert_type(nn.models.LeNet5()(x), nn.Tensor)
nn.manual_seed(1)
