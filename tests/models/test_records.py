"""Every record: exact counts, names and shapes of the reference, settings that build it again."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from torchvision_shim import import_torchvision, import_transformers

import fastnn as nn
from fastnn import arrays
from fastnn.errors import RangeError
from fastnn.models import RECORDS, registry

all_records = pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.name)


@all_records
def test_parameters_and_multiply_adds_are_exact(record):
    s = record.summary()
    assert (s.parameters, s.multiply_adds) == (record.parameters, record.multiply_adds)
    assert not s.unused


@all_records
def test_the_settings_are_the_arguments(record):
    """All of them, so that a file can build the same network again."""
    model = record.outline()
    assert type(model) in nn.models.ARCHITECTURES.values()
    assert set(model.settings) == set(inspect.signature(type(model)).parameters)
    for key, value in record.settings.items():
        assert model.settings[key] == value
    with arrays.meta():
        again = type(model)(**model.settings)
    assert shapes(again) == shapes(model) and again.settings == model.settings


def shapes(model):
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def reference(torch, record):
    """The network of the package whose names the weights have, without memory."""
    if record.names == "torchvision":
        build = getattr(import_torchvision().models, record.name)
    else:
        architecture = getattr(import_transformers(), record.builder.__name__)
        config = architecture.config_class(bos_token_id=0, eos_token_id=0, **record.settings)
        def build():
            return architecture(config)
    with torch.device("meta"):
        return build()


@pytest.mark.parametrize("name", [record.name for record in RECORDS.values() if record.names != "fastnn"])
def test_names_and_shapes_are_those_of_the_reference(torch, name):
    record = RECORDS[name]
    theirs = reference(torch, record)
    assert list(shapes(record.outline()).items()) == list(shapes(theirs).items())
    assert sum(p.numel() for p in theirs.parameters()) == record.parameters


@all_records
def test_preprocessing_gives_what_the_network_takes(record):
    if record.preprocessing is not None:
        rng = np.random.default_rng(0)
        assert record.preprocessing(rng.random((40, 50, 3))).shape == record.input
    assert not record.classes or record.build(num_classes=len(record.classes))


def test_a_name_that_is_not_there_is_told_with_those_that_are_close():
    with pytest.raises(RangeError, match=r"no network called 'resnet81'.*resnet18"):
        nn.models.get_model("resnet81")
    with pytest.raises(RangeError, match="Known are digits, lenet"):
        nn.models.get_model("xyz")
    assert nn.models.list_models() == list(RECORDS)


def test_two_records_of_one_name_are_refused():
    with pytest.raises(ValueError, match="lenet"):
        registry.register(RECORDS["lenet"])


def test_settings_of_a_call_come_before_those_of_the_record():
    model = nn.models.get_model("resnet18-32", num_classes=3)
    assert model.fc.out_features == 3 and model.settings["small"] is True


def test_the_record_of_a_network():
    assert nn.models.record_of(nn.models.LeNet5(3)).name == "lenet"
    assert nn.models.record_of(nn.models.resnet18(5, small=True)).name == "resnet18-32"
    assert nn.models.record_of(nn.models.resnet18(5, small=False)).name == "resnet18"
    assert nn.models.record_of(nn.Linear(2, 2)) is None


def test_translate_reads_older_files():
    renamed = RECORDS["gpt2"].translate({
        "wte.weight": 0, "wpe.weight": 1, "h.10.attn.masked_bias": 2, "h.10.attn.bias": 3, "h.10.attn.c_proj.bias": 4,
        "transformer.ln_f.bias": 5, "h.1.ln_1.bias": 6})
    assert renamed == {"transformer.wte.weight": 0, "transformer.wpe.weight": 1, "transformer.h.10.attn.c_proj.bias": 4,
                       "transformer.ln_f.bias": 5, "transformer.h.1.ln_1.bias": 6, "lm_head.weight": 0}
    state = {key: value for key, value in nn.models.resnet18(3, small=True).state_dict().items()
             if "num_batches" not in key}
    nn.models.resnet18(3, small=True).load_state_dict(RECORDS["resnet18"].translate(state))


def test_the_table_has_a_row_for_every_record():
    lines = registry.markdown().splitlines()
    assert len(lines) == len(RECORDS) + 2
    assert any(line.startswith("| `resnet18-32` | `resnet18` |") and "11,173,962" in line for line in lines)


def test_an_outline_takes_no_memory():
    """A process that may use 400 MB more than it has outlines GPT-2, whose weights are 498 MB."""
    code = """if True:
        import resource
        from fastnn import arrays, models
        models.get_record("lenet").outline()
        with open("/proc/self/statm") as f: used = int(f.read().split()[0])*resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),)*2)
        print(sum(p.numel() for p in models.get_record("gpt2").outline().parameters()))
        """
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "124439808\n", done.stderr
