"""What users get wrong, for tests/test_user_types.py: mypy and pyright report each line that says
so, and no other. Not to be run.
"""

import fastnn as nn
from fastnn import functional as F
from fastnn.data import DataLoder  # wrong

model, x, loader = nn.Linear(2, 3), nn.ones(4, 2), DataLoder([])
nn.Linaer(2, 3)                                                     # wrong
nn.Linear(2)                                                        # wrong
nn.Linear(2, 3, biass=False)                                        # wrong
model("a tensor")                                                   # wrong
model(x, x)                                                         # wrong
model(x).forward()                                                  # wrong
x.sume()                                                            # wrong
F.reluu(x)                                                          # wrong
nn.data.digitss("train")                                            # wrong
nn.optim.Adamm(model.parameters())                                  # wrong
nn.fit(x, [], epochs=1)                                             # wrong
nn.fit(model, [], epochs="many")                                    # wrong
nn.LSTM(2, 3)(x).sum()                                              # wrong
nn.evaluate(model, []).accuracy()                                   # wrong
nn.predict(model, x).accuracy()                                     # wrong
model.eval()(x).item() + 1
