"""A network that writes: an LSTM learns the source text of a Python module, letter by letter.

    python examples/char_lstm.py

Karpathy (2015), "The unreasonable effectiveness of recurrent neural networks".
"""

import inspect

import numpy as np

import fastnn as nn

TEXT = inspect.getsource(inspect)                   # 120,000 letters that every installation has
LETTERS = sorted(set(TEXT))
LENGTH = 64                                 # letters that the network reads in one step of training


class Writer(nn.Module):
    """Letters (B, T) in, scores (B, T, letters) for the letter after each out, and the state."""

    def __init__(self, width=128):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), 32)
        self.lstm = nn.LSTM(32, width, batch_first=True)
        self.head = nn.Linear(width, len(LETTERS))

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.embed(tokens), state)
        return self.head(y), state


def train(model, rng, steps):
    """Train on random windows of the text; the loss of the last step, in nats a letter."""
    codes = np.array([LETTERS.index(letter) for letter in TEXT])
    optimizer = nn.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(1, steps + 1):
        starts = rng.integers(0, len(codes) - LENGTH - 1, 32)
        windows = codes[starts[:, None] + np.arange(LENGTH + 1)]            # (32, LENGTH + 1)
        read, following = nn.tensor(windows[:, :-1]), nn.tensor(windows[:, 1:].reshape(-1))
        scores, _ = model(read)
        loss = nn.functional.cross_entropy(scores.reshape(-1, len(LETTERS)), following)
        loss.backward()
        nn.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"step {step}  loss {loss.item():.3f} nats a letter")
    return loss.item()


def write(model, rng, count):
    """`count` letters, each drawn from what the network expects after those before."""
    model.eval()
    token, state, written = LETTERS.index("\n"), None, ""
    with nn.no_grad():
        for _ in range(count):
            scores, state = model(nn.tensor([[token]]), state)
            chances = nn.functional.softmax(scores[0, 0].double(), dim=0)
            token = int(rng.choice(len(LETTERS), p=np.asarray(chances)))
            written += LETTERS[token]
    return written


def main(steps=500, count=400):
    nn.seed(0)
    model, rng = Writer(), np.random.default_rng(0)
    loss = train(model, rng, steps)
    print(write(model, rng, count))
    return loss


if __name__ == "__main__":
    main()
