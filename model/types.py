"""Type aliases of arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: Indices into an array.
Indices = NDArray[np.intp]

#: A tensor of the framework that Keras runs on.
Tensor = Any
