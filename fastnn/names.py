"""What a name that fastnn does not have may mean: another one, or something of another library.

Imported when the text of an error about a name is wanted: hasattr() stays cheap.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from .errors import DTypeError

__all__ = ["about_library", "advice", "advice_about", "did_you_mean", "near", "wrong_argument"]

# Where the public names are, as a user writes it; the first place wins. By text, as in the face:
# what stands above is loaded when somebody misses a name.
ROOMS = {"fastnn": "nn", "fastnn.functional": "nn.functional", "fastnn.optim": "nn.optim",
         "fastnn.optim.lr_scheduler": "nn.optim.lr_scheduler", "fastnn.init": "nn.init",
         "fastnn.utils": "nn.utils",
         "fastnn.autograd": "nn.autograd", "fastnn.data": "nn.data", "fastnn.models": "nn.models",
         "fastnn.training": "nn.training", "fastnn.viz": "nn.viz", "fastnn.testing": "nn.testing",
         "fastnn.special": "nn.special"}

# ---- what others have ----------------------------------------------------------------------------
# Names of PyTorch's that fastnn lacks -> the way here, "" where there is none. {} is the name.
OF_PYTORCH = {
    "AdaptiveAvgPool3d AdaptiveMaxPool3d AvgPool3d BatchNorm3d Conv3d ConvTranspose3d InstanceNorm3d "
    "MaxPool3d avg_pool3d conv3d conv_transpose3d max_pool3d": "There are the forms for 1 and 2 dimensions.",
    "DataParallel DistributedDataParallel DistributedSampler distributed":
        "One process computes, on all cores: nn.set_num_threads(n).",
    "SyncBatchNorm": "nn.BatchNorm2d is the same in one process.",
    "fft stft istft": "Use np.fft on x.numpy(); gradients do not flow through it.",
    "linalg svd qr eig cholesky det slogdet logdet inverse pinverse lstsq matrix_power matrix_rank matrix_exp solve "
    "cholesky_inverse cholesky_solve frobenius_norm geqrf lobpcg lu lu_solve lu_unpack nuclear_norm orgqr ormqr "
    "pca_lowrank svd_lowrank symeig triangular_solve": "Use np.linalg on x.numpy(); gradients do not flow through it.",
    "chain_matmul": "Multiply in the order that is cheapest: a @ (b @ c).",
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 spherical_bessel_j0 modified_bessel_k0 modified_bessel_k1 "
    "scaled_modified_bessel_k0 scaled_modified_bessel_k1 gammainc gammaincc igamma igamma_ igammac igammac_ zeta":
        "SciPy's are in scipy.special, for x.numpy(); gradients do not flow through them.",
    "modified_bessel_i0 modified_bessel_i1": "It is nn.special.i0, and of order 1 nn.special.i1.",
    "complex complex32 complex64 complex128 cfloat cdouble real imag conj conj_physical conj_physical_ "
    "is_conj is_neg polar resolve_conj resolve_neg view_as_real view_as_complex":
        "Tensors hold real numbers: keep the two parts as two tensors.",
    "float16 half bfloat16 chalf": "Tensors are float32 or float64: x.float().",
    "histogram histogramdd": "Use nn.histc(x, bins), or np.{} on x.numpy().",
    "unravel_index": "Use np.unravel_index on x.numpy().",
    "bartlett_window blackman_window hamming_window hann_window kaiser_window":
        "Use nn.tensor(np.hanning(n)), or another of NumPy's windows.",
    "poisson binomial": "Draw with np.random: nn.tensor(np.random.default_rng(0).{}(...)).",
    "is_nonzero": "Use bool(x).",
    "is_signed": "Use x.dtype.kind != 'u'.",
    "is_same_size": "Use x.shape == y.shape.",
    "is_inference is_inference_mode_enabled": "Use nn.is_grad_enabled().",
    "sum_to_size": "Use x.sum(dim, keepdim=True).",
    "scalar_tensor": "Use nn.tensor(number).",
    "range": "Use nn.arange(start, end + 1).",
    "newaxis": "Use None: x[:, None].",
    "fill": "Use nn.full_like(x, value).",
    "frombuffer from_file": "Use nn.from_numpy(np.frombuffer(...)), or np.fromfile.",
    "to_dlpack": "NumPy and others take the tensor itself: np.from_dlpack(x).",
    "typename": "Use type(x).__name__.",
    "segment_reduce": "Use nn.scatter_reduce.",
    "nonzero_static": "Use nn.nonzero(x).",
    "norm_except_dim": "Use nn.norm(x, dim=...).",
    "constant_pad_nd": "Use nn.functional.pad.",
    "convolution conv_tbc": "Use nn.functional.conv1d or conv2d.",
    "affine_grid_generator": "Use nn.functional.affine_grid.",
    "grid_sampler grid_sampler_2d": "Use nn.functional.grid_sample.",
    "max_pool1d_with_indices max_pool2d_with_indices adaptive_max_pool1d_with_indices "
    "adaptive_max_pool2d_with_indices": "Give return_indices=True to the function without _with_indices.",
    "alpha_dropout_ dropout_ feature_alpha_dropout_": "Use x = nn.functional.{_}(x).",
    "feature_dropout feature_dropout_": "Use nn.functional.dropout2d.",
    "embedding_renorm_": "Give max_norm to nn.Embedding.",
    "multi_head_attention_forward": "Use nn.MultiheadAttention.",
    "linear_cross_entropy LinearCrossEntropyLoss LinearCrossEntropyOptions":
        "Use nn.functional.cross_entropy(nn.functional.linear(x, weight), labels).",
    "rms_norm_forward scaled_mm grouped_mm scaled_grouped_mm": "Use nn.matmul.",
    "cond while_loop fork wait": "Write it in Python: if, while, or a thread.",
    "Stream Event get_device get_device_module": "There is the CPU alone: leave it out.",
    "set_float32_matmul_precision get_float32_matmul_precision": "float32 is computed as float32: leave it out.",
    "set_num_interop_threads get_num_interop_threads": "nn.set_num_threads(n) is for all.",
    "Container RNNBase RNNCellBase": "The base of layers is nn.Module.",
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
    "hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p "
    "shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
    "shifted_chebyshev_polynomial_w": "NumPy's are in np.polynomial, for x.numpy(); gradients do not flow.",
    "RandomSampler Sampler SequentialSampler SubsetRandomSampler WeightedRandomSampler":
        "DataLoader takes shuffle=True, or as sampler= any iterable of numbers.",
    "default_collate default_convert": "nn.data.DataLoader joins samples by itself; collate_fn= is another way.",
    "StackDataset": "Use nn.data.TensorDataset(x, y).",
    "swa_utils AveragedModel SWALR update_bn": "",
    "fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights":
        "Layers are fused as they run: nn.Sequential(...), or nn.chain(x, conv, norm, relu).",
    "get_total_norm clip_grads_with_norm_": "nn.utils.clip_grad_norm_ clips, and returns the norm.",
    "get_extra_state set_extra_state": "Keep it as a buffer: model.register_buffer(name, tensor).",
    "register_state_dict_post_hook register_state_dict_pre_hook register_load_state_dict_pre_hook "
    "register_load_state_dict_post_hook": "Overwrite state_dict or load_state_dict in a class of your own.",
    "type": "Use model.to(dtype).",
    "OutOfMemoryError": "It is Python's MemoryError.",
    "convert_conv2d_weight_memory_format convert_conv3d_weight_memory_format": "Images are (N, C, H, W): leave it out.",
    "set_submodule": "Use setattr on its parent: model.get_submodule(path).",
    "call_super_init dump_patches T_destination": "Leave it out.",
    "new": "Use x.new_tensor(data), or x.new_empty(size).",
    "retains_grad": "A leaf has x.grad by itself; x.retain_grad() keeps that of a result.",
    "register_post_accumulate_grad_hook": "Use x.register_hook(f): it gets the gradient before it is added.",
    "autocast amp GradScaler": "Everything is float32: leave it out.",
    "compile jit": "Layers are compiled already: leave it out.",
    "vmap func": "Write the batch dimension out: functions take it.",
    "distributions": "Use np.random, or nn.randn, nn.rand, nn.bernoulli.",
    "sparse quantization ao fx onnx hub export": "",
    "multiprocessing profiler": "Use Python's own module of that kind.",
    "set_default_dtype get_default_dtype set_default_tensor_type": "Give dtype=, or convert: model.double().",
    "set_default_device get_default_device": "There is the CPU alone: leave it out.",
    "get_rng_state set_rng_state initial_seed default_generator": "nn.seed(0) begins all streams anew.",
    "use_deterministic_algorithms are_deterministic_algorithms_enabled set_deterministic_debug_mode "
    "get_deterministic_debug_mode is_deterministic_algorithms_warn_only_enabled":
        "Results are the same in every run and for any number of threads: leave it out.",
    "set_printoptions": "Use np.set_printoptions and print(x.numpy()).",
    "FloatTensor DoubleTensor LongTensor IntTensor BoolTensor ByteTensor CharTensor ShortTensor":
        "Use nn.tensor(data, dtype='float32'), 'float64', 'int64', ...",
    "Size": "A shape is a tuple: x.shape == (2, 3).",
    "Variable": "A tensor has its gradient itself: nn.tensor(data, requires_grad=True).",
    "set_detect_anomaly set_anomaly_enabled is_anomaly_enabled is_anomaly_check_nan_enabled":
        "Use `with nn.autograd.detect_anomaly():`.",
    "gradgradcheck": "nn.testing.gradcheck checks first derivatives.",
    "broadcast_shapes can_cast result_type promote_types": "Use np.{}.",
    "get_worker_info IterableDataset BatchSampler ChainDataset": "nn.fit takes any iterable of batches.",
    "register_backward_hook register_full_backward_hook register_full_backward_pre_hook":
        "Hook the tensor: y.register_hook(f).",
    "share_memory share_memory_ pin_memory is_pinned record_stream": "There is the CPU alone: leave it out.",
    "get_parameter": "Use dict(model.named_parameters())[path].",
    "get_buffer": "Use dict(model.named_buffers())[path].",
    "to_empty": "Layers are made with their weights: leave it out.",
    "squeeze_ unsqueeze_ t_ transpose_ swapaxes_ swapdims_": "Use x = x.{_}(...), which copies nothing.",
    "resize resize_ resize_as resize_as_ set_ as_strided as_strided_ as_strided_scatter empty_strided "
    "new_empty_strided empty_permuted": "Use x.reshape(...).",
    "storage untyped_storage storage_offset storage_type const_data_ptr": "The memory is x.data, a NumPy array.",
    "is_cpu": "Always: there is the CPU alone.",
    "is_sparse is_quantized to_sparse to_dense": "All tensors are dense.",
    "layout strided jagged": "All tensors are dense: leave it out.",
    "apply_ map_ map2_": "Use nn.tensor(np.vectorize(f)(x.numpy())), or a function of nn.",
    "channels_last channels_last_3d contiguous_format legacy_contiguous_format preserve_format memory_format "
    "dim_order": "Images are (N, C, H, W): leave it out.",
    "LBFGS SparseAdam": "nn.optim has fourteen others; fastnn/optim/rule.py shows how one is written.",
    "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer":
        "nn.MultiheadAttention, nn.LayerNorm and nn.Linear make one, as in fastnn/models/language/gpt2.py.",
    "ConcatDataset": "Join the arrays: nn.data.TensorDataset(np.concatenate([x1, x2]), np.concatenate([y1, y2])).",
    "weight_norm spectral_norm remove_weight_norm remove_spectral_norm parametrize parametrizations prune skip_init "
    "stateless": "A weight is used as it is kept.",
    "pack_padded_sequence pad_packed_sequence pack_sequence pad_sequence PackedSequence":
        "Pad the sequences to one length, and leave out of the loss what was padded.",
    "exponential_ geometric_ cauchy_ log_normal_": "Draw with np.random, then x.copy_(nn.tensor(values)).",
    "addmm_ addmv_ addr_ addbmm_ baddbmm_ float_power_": "Use x = x.{_}(...).",
    "H mH adjoint": "Tensors are real: x.T, or x.transpose(-2, -1).",
    "CrossMapLRN2d": "nn.LocalResponseNorm is what it stands for; PyTorch's keeps channel 0 in every window.",
    "FractionalMaxPool3d": "nn.MaxPool2d takes windows of one size.",
}
# Families of such names.
OF_PYTORCH_BY_FORM = (
    (r"\w*3d(_with_indices|_phase)?|Lazy\w+3d", "There are the forms for 1 and 2 dimensions."),
    (r"\w+_copy", "Copy what the function without _copy gives: .clone()."),
    (r"unsafe_\w+", "Use the function without unsafe_."),
    (r"(cudnn|miopen|mkldnn|fbgemm|native|quantized)_\w+|batch_norm_(backward_)?(elemt|reduce|stats|gather\w+|update\w+)",
     "It is PyTorch's own part of a function: use the function."),
    (r"(fake_)?quantize\w*|dequantize|q_\w+|qu?int\w+|quint\w+|qscheme|int_repr|per_(channel|tensor)\w*"
     r"|empty_quantized|choose_qparams\w*|fused_moving_avg\w+", "Numbers are not quantised."),
    (r"sparse_\w+|to_sparse\w*|is_sparse\w*|is_coalesced|coalesce|(c?col|crow|row)?_?indices|values|dense_dim"
     r"|resize_as_sparse_|s?sp?addmm|s?spmm|smm|dsmm|hsmm|hspmm|to_padded_tensor|is_nested|to_mkldnn|slice_inverse",
     "All tensors are dense."),
    (r"(float[48]|bits|u?int[1-7]|Half|BFloat16)\w*|bit|half", "Tensors are float32 or float64: x.float()."),
    (r"\w*[Aa]utocast\w*", "Everything is float32: leave it out."),
    (r"\w+Storage(Base)?|Storage", "The memory is x.data, a NumPy array."),
    (r"Script\w+|Sym[A-Z]\w*|sym_\w+|CompilationUnit|import_ir_module\w*|parse_\w+",
     "Layers are compiled already: leave it out."),
    (r"is_(ipu|maia|meta|mkldnn|mps|mtia|vulkan|xla|xpu|shared|distributed)|ipu|mtia|xpu|is_vulkan_available"
     r"|has_(lapack|mkl|openmp|spectral)|compiled_with_cxx11_abi", "There is the CPU alone: leave it out."),
)
# Names of Keras, NumPy, scikit-learn and others, and names that people expect -> what there is.
OF_OTHERS = {
    "Dense": "Keras's Dense is nn.Linear(in_features, out_features).",
    "Input InputLayer": "The input needs no layer: the first one takes its size, nn.Linear(784, 10).",
    "Conv2DTranspose": "Keras's Conv2DTranspose is nn.ConvTranspose2d(in_channels, out_channels, kernel_size).",
    "MaxPooling2D MaxPooling1D AveragePooling2D": "Keras's {} is nn.MaxPool2d, nn.MaxPool1d or nn.AvgPool2d.",
    "GlobalAveragePooling2D": "Use nn.AdaptiveAvgPool2d(1) and nn.Flatten().",
    "BatchNormalization": "Keras's BatchNormalization is nn.BatchNorm2d(channels), or nn.BatchNorm1d(features).",
    "LayerNormalization": "Keras's LayerNormalization is nn.LayerNorm(features).",
    "Activation": "Use the layer of its name: nn.ReLU(), nn.Tanh(), nn.Sigmoid().",
    "Model": "The base of models is nn.Module; layers in a row are nn.Sequential(...).",
    "EarlyStopping": "Use nn.fit(..., patience=5, restore_best=True).",
    "ModelCheckpoint": "Use nn.fit(..., checkpoint='run.npz').",
    "TensorBoard SummaryWriter": "nn.fit returns a History: history.plot(), history['loss'].",
    "to_categorical": "Use nn.one_hot(labels, classes); cross_entropy takes the labels as they are.",
    "train_test_split": "Use nn.data.random_split(dataset, [0.8, 0.2]).",
    "MNIST FashionMNIST CIFAR10 CIFAR100 load_mnist load_digits ImageFolder datasets":
        "The digits that come with fastnn are nn.data.digits('train'); other data goes in as arrays, "
        "nn.data.TensorDataset(x, y).",
    "transforms Compose ToTensor Normalize": "Pictures go in as arrays: x = images.astype('float32') / 255.",
    "array asarray_chkfinite": "Use nn.tensor(data).",
    "loss criterion": "Use a layer, nn.CrossEntropyLoss(), or a function, nn.functional.cross_entropy.",
    "BatchNorm": "Use nn.BatchNorm1d for (N, C), nn.BatchNorm2d for images (N, C, H, W).",
    "Conv": "Use nn.Conv1d for sequences, nn.Conv2d for images.",
    "torch": "fastnn is itself what torch and torch.nn are: nn.Linear, nn.functional.",
    "F": "Write `import fastnn.functional as F`.",
    "random": "Use nn.rand, nn.randn, nn.randint; nn.seed(0) begins the streams.",
    "version": "Use nn.__version__.",
    "plot": "History draws itself, history.plot(); more is in nn.viz.",
    "train": "Use nn.fit(model, data); model.train() switches a model's mode.",
    "metrics accuracy": "Use nn.evaluate(model, data), or (scores.argmax(1) == labels).float().mean().",
}
# Names that mean one thing in one module alone.
OF_ROOMS = {
    ("fastnn.utils", "rnn"): "PyTorch has it, fastnn does not. Pad the sequences to one length, and leave out of the "
                             "loss what was padded.",
}
# ... of a model, and of a tensor.
OF_MODELS = {
    "fit": "Use nn.fit(model, (x, y)).",
    "evaluate": "Use nn.evaluate(model, (x, y)).",
    "predict": "Use nn.predict(model, x), or model(x).",
    "save": "Use nn.save(model.state_dict(), 'model.npz').",
    "load": "Use model.load_state_dict(nn.load('model.npz')).",
    "backward": "Call it on the loss: loss.backward().",
    "compile": "The optimiser and the loss go to nn.fit(model, data, optimizer=..., loss=...).",
    "weights get_weights": "Use model.state_dict(), or model.parameters().",
    "set_weights": "Use model.load_state_dict(state).",
    "layers": "Use model.children(), or dict(model.named_modules()).",
    "step": "Call it on the optimiser: optimizer.step().",
    "grad": "A gradient is a parameter's: layer.weight.grad.",
    "shape": "A layer has no shape; its weight has: layer.weight.shape.",
    "device": "There is the CPU alone: leave it out.",
    "dtype": "A parameter has one: next(model.parameters()).dtype.",
    "add": "Use model.append(layer), of nn.Sequential.",
}
OF_TENSORS = {
    "astype": "Use x.to('float64'), x.float(), x.long().",
    "copy": "Use x.clone(); x.detach().clone() cuts the history.",
    "length len": "Use len(x), x.numel() or x.shape.",
    "append": "Tensors keep their size: nn.cat([x, y]).",
    "asnumpy as_numpy to_numpy": "Use x.numpy(); x.detach().numpy() with a gradient.",
    "fill": "Use x.fill_(value).",
    "zero_grad": "A model and an optimiser have it; of a tensor: x.grad = None.",
    "step": "Call it on the optimiser: optimizer.step().",
    "dot_product": "Use x @ y.",
    "sum_": "Use x.sum().",
    "plot": "Use nn.viz, for images nn.viz.image_grid(x).",
}
# An argument as others call it -> as it is called here.
ARGUMENTS = {
    "learning_rate": "lr", "alpha": "lr", "decay": "weight_decay", "l2": "weight_decay", "beta": "momentum",
    "n_epochs": "epochs", "num_epochs": "epochs", "epoch": "epochs", "batchsize": "batch_size", "bs": "batch_size",
    "verbose": "progress", "validation_data": "valid", "val": "valid", "val_data": "valid", "criterion": "loss",
    "loss_fn": "loss", "optim": "optimizer", "opt": "optimizer", "callback": "callbacks", "metric": "metrics",
    "units": "out_features", "input_dim": "in_features", "filters": "out_channels", "channels": "out_channels",
    "kernel": "kernel_size", "ksize": "kernel_size", "pad": "padding", "strides": "stride", "rate": "p", "prob": "p",
    "use_bias": "bias", "axis": "dim", "dims": "dim", "keepdims": "keepdim", "pool_size": "kernel_size",
    "seed": "generator", "class_weight": "weight", "num_channels": "num_features", "heads": "num_heads",
    "axes": "dim", "epsilon": "eps", "max_norm": "clip_norm", "grad_clip": "clip_norm", "early_stopping": "patience",
}
# Arguments that belong elsewhere: (function, argument) -> where.
ELSEWHERE = {
    ("fit", "lr"): "Give it to the optimiser: optimizer=nn.optim.Adam(model.parameters(), lr=...).",
    ("fit", "learning_rate"): "Give it to the optimiser: optimizer=nn.optim.Adam(model.parameters(), lr=...).",
    ("fit", "shuffle"): "Arrays are shuffled; for more, pass a DataLoader.",
    ("fit", "verbose"): "Did you mean progress=?",
    ("fit", "validation_split"): "Use nn.data.random_split(dataset, [0.8, 0.2]) and valid=.",
    ("fit", "device"): "There is the CPU alone: leave it out.",
    ("Linear", "activation"): "An activation is a layer of its own: nn.Sequential(nn.Linear(...), nn.ReLU()).",
    ("Conv2d", "activation"): "An activation is a layer of its own: nn.Sequential(nn.Conv2d(...), nn.ReLU()).",
    ("Linear", "input_shape"): "The first argument is the size of the input: nn.Linear(784, 10).",
}


# ---- what is said --------------------------------------------------------------------------------
def advice_about(obj: Any, name: str) -> str:
    """The hint for `obj.name`, where obj is a layer, a model or a tensor and has no such attribute;
    empty where nothing is near.
    """
    if name.startswith("_"):
        return ""
    cls = obj if isinstance(obj, type) else type(obj)
    of_kind = _flat(OF_TENSORS if hasattr(cls, "grad_fn") else OF_MODELS)
    told = of_kind.get(name) or _of_another_library(name)
    close = [] if told else near(name, [known for known in dir(obj) if not known.startswith("_")])
    return told or (f"Did you mean {close[0]}?" if close else "")


def wrong_argument(who: str, name: str, known: Iterable[str]) -> DTypeError:
    """The error for who(name=...), where `known` are the names of its arguments."""
    known = list(known)
    call = _of_result(who) if name == "out" else ""
    if call:
        return DTypeError("results go into new tensors, out= is not taken", who=who,
                          hint=f"Write y = {call}(...), or y.copy_({call}(...)) where y is to be overwritten.")
    hint = ELSEWHERE.get((who.rpartition(".")[2], name), "")
    meant = ARGUMENTS.get(name)
    if not hint:
        close = [meant] if meant in known else near(name, known)
        hint = f"Did you mean {close[0]}=?" if close else ""
    return DTypeError(f"there is no argument {name!r}", who=who, hint=hint,
                      expected=None if hint else ", ".join(known) or "none")


def _of_result(who: str) -> str:
    """A function or method of tensors that gives new ones as a user writes it; else empty. What
    ends with _ writes where it is called.
    """
    room, _, name = who.rpartition(".")
    if name.endswith("_"):
        return ""
    if room:
        return f"x.{name}" if room in ("Tensor", "Parameter", "Buffer") else ""
    function = getattr(sys.modules["fastnn.functional"], name, None) or getattr(sys.modules["fastnn"], name, None)
    home = getattr(function, "__module__", "")
    return f"nn.{name}" if home.startswith("fastnn.ops.") or home == "fastnn.creation" else ""


# ---- searching -----------------------------------------------------------------------------------
def near(name: str, known: Iterable[str], others: Iterable[str] = (), cutoff: float = 0.7) -> list[str]:
    """Those of `known` that a name may stand for, the nearest first; capitals and `_` say little.

    Those of `others` too, but not for their beginning alone: `lu` is no `lu_solve`.
    """
    from difflib import SequenceMatcher
    folded, known = _folded(name), [*known]
    # of two that differ in capitals alone, the one that begins like the name
    ranked = sorted({*known, *others}, key=lambda k: (k[:1].isupper() != name[:1].isupper(), k))
    exact = [k for k in ranked if _folded(k) == folded]
    begins = [k for k in ranked if len(folded) > 2 and _folded(k).startswith(folded) and k not in exact and k in known]
    if exact:               # CrossEntropy: the layer CrossEntropyLoss rather than cross_entropy
        layers = [k for k in begins if k[:1].isupper()] if name[:1].isupper() and not exact[0][:1].isupper() else []
        return [*layers[:1], *exact]
    matcher = SequenceMatcher(b=folded)
    found = []
    for i, candidate in enumerate(ranked):
        matcher.set_seq1(_folded(candidate))
        if matcher.real_quick_ratio() > cutoff and matcher.quick_ratio() > cutoff and matcher.ratio() > cutoff \
                and edits(folded, _folded(candidate)) <= max(1, len(folded) // 4):
            found.append((-matcher.ratio(), i, candidate))
    return [candidate for *_, candidate in sorted(found)][:3] or begins[:3]


def edits(a: str, b: str) -> int:
    """How many letters are put in, left out, replaced or swapped with the next, to make b of a."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        row = [i + 1]
        for j, other in enumerate(b):
            best = min(last[j] + (letter != other), last[j + 1] + 1, row[j] + 1)
            if i and j and letter == b[j - 1] and other == a[i - 1]:
                best = min(best, before[j - 1] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is none of `known`; empty where nothing is near."""
    known = list(known)
    meant = ARGUMENTS.get(name)
    close = [meant] if meant in known else near(name, known)
    return f"Did you mean {close[0]!r}?" if close else ""


def advice(name: str, module: str) -> str:
    """The hint for a name that a module of fastnn's does not have; empty where nothing is near."""
    if name.startswith("_"):
        return ""
    if (module, name) in OF_ROOMS:
        return OF_ROOMS[module, name]
    places = _places(module)
    if name in places:
        return f"Did you mean {places[name]}?"
    told = _of_another_library(name)
    close = [] if told else near(name, places, others={**_flat(OF_OTHERS), **_flat(OF_PYTORCH)})
    if close and close[0] in places:
        return f"Did you mean {places[close[0]]}?"
    return told or (_of_another_library(close[0]) if close else "")


def _of_another_library(name: str) -> str:
    others, pytorch = _flat(OF_OTHERS), _flat(OF_PYTORCH)
    if name in others:
        return others[name]
    told = pytorch.get(name)
    if told is None:
        told = next((text for form, text in OF_PYTORCH_BY_FORM if re.fullmatch(form, name)), None)
    return "" if told is None else f"PyTorch has it, fastnn does not. {told}".rstrip()


def about_library(name: str) -> str:
    """What another library calls by that name, capitals aside; empty for what none has."""
    known = {k.lower(): k for k in {**_flat(OF_PYTORCH), **_flat(OF_OTHERS)}}
    return _of_another_library(known.get(name.lower(), name))


def _places(module: str) -> dict[str, str]:
    """Public name -> where a user finds it, those of `module` first."""
    places: dict[str, str] = {}
    known = {} if module in ROOMS else _places("fastnn")
    for room in dict.fromkeys([module, *ROOMS]):
        loaded = import_module(room)
        shown = ROOMS.get(room, room)
        for name in getattr(loaded, "__all__", None) or dir(loaded):
            value = vars(loaded).get(name, loaded)
            if not name.startswith("_") and (room == "fastnn" or not _is_foreign(value)):
                places.setdefault(name, f"{shown}.{name}")
    # what a user need not know the file of
    return {name: known.get(name, place) if place.startswith("fastnn.") else place for name, place in places.items()}


def _is_foreign(value: Any) -> bool:
    """Whether a module has this from elsewhere: an imported module, a function of Python's."""
    return type(value) is type(sys) or not str(getattr(value, "__module__", "fastnn")).startswith("fastnn")


def _flat(table: dict[str, str]) -> dict[str, str]:
    """One entry a name."""
    return {name: text.replace("{_}", name.rstrip("_")).replace("{}", name)
            for names, text in table.items() for name in names.split()}


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
