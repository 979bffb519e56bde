"""A network that writes: an LSTM learns Python's own source text, letter by letter. python
examples/char_lstm.py

Karpathy (2015), "The unreasonable effectiveness of recurrent neural networks".
"""

import inspect

import numpy as np

import fastnn as nn

nn.seed(0)
text = inspect.getsource(inspect)                                   # 120,000 letters that every installation has
letters = sorted(set(text))
codes = np.array([letters.index(letter) for letter in text])


class Writer(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.embed = nn.Embedding(len(letters), 32)
        self.lstm = nn.LSTM(32, width, batch_first=True)
        self.head = nn.Linear(width, len(letters))

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.embed(tokens), state)
        return self.head(y), state


model, rng = Writer(), np.random.default_rng(0)
optimizer = nn.optim.Adam(model.parameters(), lr=3e-3)
for step in range(1, 501):
    starts = rng.integers(0, len(codes) - 65, 32)
    window = codes[starts[:, None] + np.arange(65)]                 # (32, 65): 64 letters and the one after each
    scores, _ = model(nn.tensor(window[:, :-1]))
    loss = nn.functional.cross_entropy(scores.reshape(-1, len(letters)), nn.tensor(window[:, 1:].reshape(-1)))
    loss.backward()
    nn.optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    if step % 50 == 0:
        print(f"step {step}  loss {loss.item():.3f} nats a letter")

model.eval()
token, state, written = letters.index("\n"), None, ""
with nn.no_grad():
    for _ in range(400):
        scores, state = model(nn.tensor([[token]]), state)
        token = int(rng.choice(len(letters), p=np.asarray(nn.functional.softmax(scores[0, 0].double(), dim=0))))
        written += letters[token]
print(written)
