"""FarmHash's Fingerprint64, with which TensorFlow puts unknown texts into buckets.

Follows ``farmhashna::Hash64`` of https://github.com/google/farmhash; all sums and products are
modulo 2^64.
"""

from __future__ import annotations

_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_MASK = 2**64 - 1


def fingerprint64(data: bytes) -> int:
    """The fingerprint of ``data``, from 0 to 2^64 - 1."""
    if len(data) <= 16:
        return _up_to_16(data)
    if len(data) <= 32:
        return _up_to_32(data)
    if len(data) <= 64:
        return _up_to_64(data)
    return _longer(data)


def _up_to_16(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _fetch(data, 0) + _K2, _fetch(data, size - 8)
        c = _rotate(b, 37) * factor + a
        d = (_rotate(a, 25) + b) * factor
        return _mix(c, d, factor)
    if size >= 4:
        first, last = _fetch(data, 0, 4), _fetch(data, size - 4, 4)
        return _mix(size + (first << 3), last, factor)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _shift_mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    a, b = _fetch(data, 0) * _K1, _fetch(data, 8)
    c, d = _fetch(data, size - 8) * factor, _fetch(data, size - 16) * _K2
    return _mix(_rotate(a + b, 43) + _rotate(c, 30) + d, a + _rotate(b + _K2, 18) + c, factor)


def _up_to_64(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    a, b = _fetch(data, 0) * _K2, _fetch(data, 8)
    c, d = _fetch(data, size - 8) * factor, _fetch(data, size - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _mix(y, a + _rotate(b + _K2, 18) + c, factor)
    e, f = _fetch(data, 16) * factor, _fetch(data, 24)
    g = (y + _fetch(data, size - 32)) * factor
    h = (z + _fetch(data, size - 24)) * factor
    return _mix(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


def _longer(data: bytes) -> int:
    x, y = 81, 81 * _K1 + 113
    z = _shift_mix((y * _K2 + 113) & _MASK) * _K2
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _fetch(data, 0)
    rest = (len(data) - 1) & 63
    for start in range(0, len(data) - 1 - rest, 64):
        x = _rotate(x + y + v[0] + _fetch(data, start + 8), 37) * _K1
        y = _rotate(y + v[1] + _fetch(data, start + 48), 42) * _K1
        x = (x ^ w[1]) & _MASK
        y += v[0] + _fetch(data, start + 40)
        z = _rotate(z + w[0], 33) * _K1
        v = _weak(data, start, v[1] * _K1, x + w[0])
        w = _weak(data, start + 32, z + w[1], y + _fetch(data, start + 16))
        z, x = x, z
    factor = _K1 + ((z & 0xFF) << 1)
    start = len(data) - 64
    w = (w[0] + rest, w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x = _rotate(x + y + v[0] + _fetch(data, start + 8), 37) * factor
    y = _rotate(y + v[1] + _fetch(data, start + 48), 42) * factor
    x = (x ^ w[1] * 9) & _MASK
    y += v[0] * 9 + _fetch(data, start + 40)
    z = _rotate(z + w[0], 33) * factor
    v = _weak(data, start, v[1] * factor, x + w[0])
    w = _weak(data, start + 32, z + w[1], y + _fetch(data, start + 16))
    z, x = x, z
    first = _mix(v[0], w[0], factor) + _shift_mix(y & _MASK) * _K0 + z
    return _mix(first, _mix(v[1], w[1], factor) + x, factor)


def _weak(data: bytes, start: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_fetch(data, start + offset) for offset in (0, 8, 16, 24))
    a += w
    b = _rotate(b + a + z, 21)
    c = a
    a += x + y
    b += _rotate(a, 44)
    return (a + z) & _MASK, (b + c) & _MASK


def _mix(u: int, v: int, factor: int) -> int:
    a = _shift_mix((u ^ v) * factor & _MASK)
    b = _shift_mix((v ^ a) * factor & _MASK)
    return b * factor & _MASK


def _shift_mix(value: int) -> int:
    return value ^ (value >> 47)


def _rotate(value: int, places: int) -> int:
    value &= _MASK
    return (value >> places | value << (64 - places)) & _MASK


def _fetch(data: bytes, start: int, size: int = 8) -> int:
    return int.from_bytes(data[start : start + size], "little")
