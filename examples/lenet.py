"""LeNet-5 on the bundled digits, with the training loop written out: python examples/lenet.py"""

import numpy as np

import fastnn as nn


def enlarged(split):
    """The digits of 8 x 8 pixels, three times as large, in the middle of 28 x 28: LeNet's size."""
    images, labels = nn.data.digits(split).tensors
    large = np.kron(images, np.ones((3, 3), np.float32))
    return nn.data.TensorDataset(np.pad(large, ((0, 0), (0, 0), (2, 2), (2, 2))), labels)


def main(epochs=8):
    nn.seed(0)
    train, test = enlarged("train"), enlarged("test")
    model = nn.models.LeNet5()
    optimizer = nn.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for images, labels in nn.data.DataLoader(train, batch_size=32, shuffle=True, seed=epoch):
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item()*len(labels)
        accuracy = nn.evaluate(model, test)["accuracy"]
        print(f"epoch {epoch}  loss {total/len(train):.4f}  {100*accuracy:.1f} % of {len(test)} unseen digits")
    return accuracy


if __name__ == "__main__":
    main()
