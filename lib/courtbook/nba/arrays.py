"""The arrays that the synthetic league is made of."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
DayArray = npt.NDArray[np.datetime64]
Columns = dict[str, pa.Array]


def words(numbers: IntArray, choices: list[str] | tuple[str, ...]) -> pa.Array:
    """Return the text of each number, an Arrow array of plain strings."""
    return pa.array(choices, pa.string()).take(pa.array(numbers))
