"""Every function under its PyTorch name: `nn.functional.conv2d`, `nn.functional.relu`, ... Each is
defined in fastnn/ops, and guarded here: what an argument of the wrong kind makes Python or NumPy
raise becomes an error of ours (guard.py).
"""

from . import guard as _guard
from .ops.activation import *
from .ops.adaptive_pool import *
from .ops.arithmetic import *
from .ops.attention import *
from .ops.batch_norm import *
from .ops.calculus import *
from .ops.chance import *
from .ops.clone import *
from .ops.combine import *
from .ops.compare import *
from .ops.composed import *
from .ops.conv1d import *
from .ops.conv2d import *
from .ops.conv_transpose import *
from .ops.cross_entropy import *
from .ops.ctc import *
from .ops.distance import *
from .ops.dropout import *
from .ops.einsum import *
from .ops.elementary import *
from .ops.embedding import *
from .ops.embedding_bag import *
from .ops.extremes import *
from .ops.flip import *
from .ops.fractional_pool import *
from .ops.grid_sample import *
from .ops.gru import *
from .ops.indexing import *
from .ops.inplace import *
from .ops.interpolate import *
from .ops.join import *
from .ops.linear import *
from .ops.local_norm import *
from .ops.losses import *
from .ops.lstm import *
from .ops.margin import *
from .ops.matmul import *
from .ops.nan import *
from .ops.norm import *
from .ops.pad import *
from .ops.permute import *
from .ops.pool1d import *
from .ops.pool2d import *
from .ops.product import *
from .ops.quantiles import *
from .ops.reduce import *
from .ops.repeat import *
from .ops.rnn import *
from .ops.scan import *
from .ops.scatter import *
from .ops.search import *
from .ops.shape import *
from .ops.shuffle import *
from .ops.slices import *
from .ops.softmax import *
from .ops.sort import *
from .ops.special import *
from .ops.split import *
from .ops.transcendental import *
from .ops.triangle import *
from .ops.unfold import *
from .ops.unpool import *

_guard.guard_all(globals())
