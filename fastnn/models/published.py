"""One record for every variant of a network that has a name: what registry.py tells, as data.

Most were published; the digits' CNN and the networks of the benchmarks are fastnn's own.

A new network needs a file of its own, named after the paper, and a record here. Its class needs
`settings`, the arguments that it was built with, and a row in files.py: ARCHITECTURES, to be saved
whole.
"""

from __future__ import annotations

from .language.gpt2 import GPT2LMHeadModel
from .registry import Record, register
from .vision.digits import DigitsCNN
from .vision.lenet import LeNet5
from .vision.preprocessing import Ink, Photo
from .vision.resnet import resnet18

__all__: list[str] = []

# ---- vision --------------------------------------------------------------------------------------
TEN = tuple("0123456789")

register(Record(
    "digits", DigitsCNN, input=(1, 8, 8), parameters=15_498, multiply_adds=452_864, preprocessing=Ink(8), classes=TEN,
    paper="of no paper; trained by `python -m fastnn`"))

register(Record(
    "lenet", LeNet5, input=(1, 28, 28), parameters=61_706, multiply_adds=416_520, preprocessing=Ink(28, margin=4),
    classes=TEN,
    paper='LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based learning applied to document recognition"'))

HE = 'He, Zhang, Ren, Sun (2016), "Deep residual learning for image recognition"'

register(Record(
    "resnet18", resnet18, input=(3, 224, 224), parameters=11_689_512, multiply_adds=1_814_073_344, names="torchvision",
    preprocessing=Photo(resize=256, crop=224), paper=HE))

register(Record(
    "resnet18-32", resnet18, settings={"num_classes": 10, "small": True}, input=(3, 32, 32), parameters=11_173_962,
    multiply_adds=555_422_720, paper=f"{HE}, with the beginning for 32 x 32 images"))

# ---- language ------------------------------------------------------------------------------------
RADFORD = 'Radford et al. (2019), "Language models are unsupervised multitask learners"'

# input: 64 tokens, of the 1,024 that it takes at most; multiply-adds are counted for these
register(Record(
    "gpt2", GPT2LMHeadModel, input=(64,), dtype="int64", parameters=124_439_808, multiply_adds=7_981_547_520,
    names="transformers", paper=RADFORD,
    # files with and without the prefix, and with masks that are no weights
    renames=((r".*\.attn\.(masked_)?bias$", ""), (r"^(?=wte\.|wpe\.|h\.|ln_f\.)", "transformer.")),
    tied={"lm_head.weight": "transformer.wte.weight"}))

# the sizes of the benchmarks: 65 characters, the usual Shakespeare text
register(Record(
    "gpt-4x128", GPT2LMHeadModel, input=(64,), dtype="int64", parameters=809_856, multiply_adds=55_058_432,
    names="transformers",
    settings={"vocab_size": 65, "n_positions": 64, "n_embd": 128, "n_layer": 4, "n_head": 4,
              "activation_function": "gelu"}, paper=f"{RADFORD}, for characters"))

register(Record(
    "gpt-6x384", GPT2LMHeadModel, input=(256,), dtype="int64", parameters=10_770_816, multiply_adds=3_026_288_640,
    names="transformers",
    settings={"vocab_size": 65, "n_positions": 256, "n_embd": 384, "n_layer": 6, "n_head": 6,
              "activation_function": "gelu"}, paper=f"{RADFORD}, for characters"))
