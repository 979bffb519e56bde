"""torchvision where its compiled operators do not load: its CUDA wheel beside a CPU PyTorch.

Its Python modules declare how those operators behave on shapes, and fail where there are none of
that name. So the names are declared first. The operators themselves are then missing, which matters
to detectors alone: classifiers and segmentation networks run.
"""

import importlib.util
import re
import warnings
from pathlib import Path

import pytest

POOL = ("Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width{0}",
        "Tensor grad, Tensor rois{1}, float spatial_scale, SymInt pooled_height, SymInt pooled_width{0}, "
        "SymInt batch_size, SymInt channels, SymInt height, SymInt width")
SAMPLES = ", int sampling_ratio"
DEFORM = ("Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, "
          "SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, "
          "bool use_mask")
SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align": f"({POOL[0].format(SAMPLES + ', bool aligned')}) -> Tensor",
    "_roi_align_backward": f"({POOL[1].format('', '')}{SAMPLES}, bool aligned) -> Tensor",
    "roi_pool": f"({POOL[0].format('')}) -> (Tensor, Tensor)",
    "_roi_pool_backward": f"({POOL[1].format('', ', Tensor argmax')}) -> Tensor",
    "ps_roi_align": f"({POOL[0].format(SAMPLES)}) -> (Tensor, Tensor)",
    "_ps_roi_align_backward": f"({POOL[1].format(SAMPLES, ', Tensor channel_mapping')}) -> Tensor",
    "ps_roi_pool": f"({POOL[0].format('')}) -> (Tensor, Tensor)",
    "_ps_roi_pool_backward": f"({POOL[1].format('', ', Tensor channel_mapping')}) -> Tensor",
    "deform_conv2d": f"({DEFORM}) -> Tensor",
    "_deform_conv2d_backward": f"(Tensor grad, {DEFORM}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
}
_declared = []          # keeps the declarations alive


def import_torchvision():
    """torchvision; the test is skipped where it or PyTorch is missing."""
    return imported("torchvision")


def import_transformers():
    """transformers, which imports torchvision where that is installed; skipped without it."""
    return imported("transformers")


def imported(name):
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    found = importlib.util.find_spec("torchvision")
    if found is not None and not _declared and not loads(torch, Path(found.origin).parent):
        declare(torch, Path(found.origin).parent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def loads(torch, folder):
    """Whether the compiled operators load here."""
    try:
        for path in folder.glob("_C.*"):
            torch.ops.load_library(str(path))
            return True
    except OSError:
        pass
    return False


def declare(torch, folder):
    library = torch.library.Library("torchvision", "DEF")
    _declared.append(library)
    shapes = (folder/"_meta_registrations.py").read_text(encoding="utf-8")
    others = set(re.findall(r'register_(?:fake|meta)\("(?:torchvision::)?(\w+)"\)', shapes)) - set(SCHEMAS)
    for name, schema in {**SCHEMAS, **dict.fromkeys(others, "(Tensor a) -> Tensor")}.items():
        library.define(name + schema)
