"""TensorFlow's logarithm of 32-bit numbers.

It differs from NumPy's by a few units in the last place, which scaling by a small deviation makes
visible. This is ``plog_impl_float`` of Eigen as TensorFlow's wheels have it, bit for bit where
TensorFlow computes eight numbers at a time; the last few of an array it leaves to C's functions.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# Of r(x) = p(x) / q(x), which approximates log(1 + x) / x between sqrt(1/2) - 1 and sqrt(2) - 1.
_P = np.array([0.18256296349849254, 1.0000000190281063, 1.0000000190281136], np.float32)
_Q = np.array([0.049616247954120038, 0.5992324959082352, 1.4999999999999927, 1.0], np.float32)
_LN2 = np.float32(np.log(2))
_ONE = np.float32(1)


def log(x: Array) -> Array:
    """The natural logarithm; for 64-bit numbers NumPy's."""
    if x.dtype != np.float32:
        return np.asarray(np.log(x))
    significand, exponent = np.frexp(x)
    low = significand < np.float32(np.sqrt(0.5))
    part = (significand - _ONE) + np.where(low, significand, np.float32(0))
    ratio = part * _polynomial(part, _P) / _polynomial(part, _Q)
    result = (exponent - low).astype(np.float32) * _LN2 + ratio
    usual = (x > 0) & (x < np.inf)
    return np.where(usual, result, np.log(np.where(usual, _ONE, x)))


def log1p(x: Array) -> Array:
    """The natural logarithm of 1 + x, by W. Kahan's formula."""
    if x.dtype != np.float32:
        return np.asarray(np.log1p(x))
    above = x + _ONE
    logarithm = log(above)
    tiny_or_infinite = (above == _ONE) | (above == logarithm)
    return np.where(tiny_or_infinite, x, x * (logarithm / (above - _ONE)))


def _polynomial(x: Array, coefficients: Array) -> Array:
    result = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        result = result * x + coefficient
    return np.asarray(result)
