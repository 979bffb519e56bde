"""LeNet-5 on the bundled digits, with the loop written out: python examples/lenet.py"""

import numpy as np

import fastnn as nn

nn.seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(),
    nn.Linear(120, 84), nn.ReLU(),
    nn.Linear(84, 10),
)


def load(split):
    """The 8 x 8 digits, three times as large in the middle of 28 x 28."""
    images, labels = nn.data.digits(split).tensors
    large = np.kron(images, np.ones((3, 3), np.float32))
    return nn.data.TensorDataset(np.pad(large, ((0, 0), (0, 0), (2, 2), (2, 2))), labels)


train, test = load("train"), load("test")
optimizer = nn.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(1, 9):
    total = 0.0
    for images, labels in nn.data.DataLoader(train, batch_size=32, shuffle=True, seed=epoch):
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()*len(labels)
    accuracy = nn.evaluate(model, test)["accuracy"]
    print(f"epoch {epoch}  loss {total/len(train):.4f}  {100*accuracy:.1f} % of {len(test)} unseen digits")
