"""XXH3-64 with seed 0, the hash that the contract gives schemas and keys.

The library ``xxhash`` is an extension module that no component can carry, so the algorithm stands here once more; the
tests compare the two over every length class.
"""

from __future__ import annotations

import struct

_M32 = 0xFFFFFFFF
_M64 = 0xFFFFFFFFFFFFFFFF
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_MX1, _MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE, _CONSUMED = 64, 8
_STRIPES_PER_BLOCK = (len(_SECRET) - _STRIPE) // _CONSUMED


def xxh3_64(data: bytes) -> int:
    """The hash of ``data``."""
    n = len(data)
    if n <= 16:
        return _short(data, n)
    if n <= 128:
        return _medium(data, n)
    if n <= 240:
        return _large(data, n)
    return _long(data, n)


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product & _M64) ^ (product >> 64)


def _avalanche(h: int) -> int:
    h ^= h >> 37
    h = h * _MX1 & _M64
    return h ^ h >> 32


def _avalanche_64(h: int) -> int:
    h ^= h >> 33
    h = h * _P64_2 & _M64
    h ^= h >> 29
    h = h * _P64_3 & _M64
    return h ^ h >> 32


def _rotated(x: int, by: int) -> int:
    return (x << by | x >> 64 - by) & _M64


def _swapped(x: int) -> int:
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def _short(data: bytes, n: int) -> int:
    if n > 8:
        low = _u64(data, 0) ^ _u64(_SECRET, 24) ^ _u64(_SECRET, 32)
        high = _u64(data, n - 8) ^ _u64(_SECRET, 40) ^ _u64(_SECRET, 48)
        return _avalanche((n + _swapped(low) + high + _fold(low, high)) & _M64)
    if n >= 4:
        keyed = (_u32(data, n - 4) + (_u32(data, 0) << 32)) ^ _u64(_SECRET, 8) ^ _u64(_SECRET, 16)
        keyed ^= _rotated(keyed, 49) ^ _rotated(keyed, 24)
        keyed = keyed * _MX2 & _M64
        keyed ^= (keyed >> 35) + n
        keyed = keyed * _MX2 & _M64
        return keyed ^ keyed >> 28
    if n > 0:
        combined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return _avalanche_64(combined ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4))
    return _avalanche_64(_u64(_SECRET, 56) ^ _u64(_SECRET, 64))


def _mix16(data: bytes, at: int, secret: int) -> int:
    return _fold(_u64(data, at) ^ _u64(_SECRET, secret), _u64(data, at + 8) ^ _u64(_SECRET, secret + 8))


def _medium(data: bytes, n: int) -> int:
    acc = n * _P64_1
    for i in range((n - 1) // 32, -1, -1):
        acc += _mix16(data, 16 * i, 32 * i) + _mix16(data, n - 16 * (i + 1), 32 * i + 16)
    return _avalanche(acc & _M64)


def _large(data: bytes, n: int) -> int:
    acc = n * _P64_1 + sum(_mix16(data, 16 * i, 16 * i) for i in range(8))
    acc = _avalanche(acc & _M64)
    acc += sum(_mix16(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    acc += _mix16(data, n - 16, 136 - 17)
    return _avalanche(acc & _M64)


def _accumulate(acc: list[int], stripe: bytes, secret: int) -> None:
    for i, value in enumerate(struct.unpack("<8Q", stripe)):
        keyed = value ^ _u64(_SECRET, secret + 8 * i)
        acc[i ^ 1] += value
        acc[i] = (acc[i] + (keyed & _M32) * (keyed >> 32)) & _M64


def _long(data: bytes, n: int) -> int:
    acc = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    stripes = (n - 1) // _STRIPE
    last = len(_SECRET) - _STRIPE
    for stripe in range(stripes):
        at = stripe % _STRIPES_PER_BLOCK
        _accumulate(acc, data[_STRIPE * stripe : _STRIPE * (stripe + 1)], _CONSUMED * at)
        if at == _STRIPES_PER_BLOCK - 1:
            for i in range(8):
                mixed = acc[i] & _M64
                acc[i] = (mixed ^ mixed >> 47 ^ _u64(_SECRET, last + 8 * i)) * _P32_1 & _M64
    _accumulate(acc, data[n - _STRIPE :], last - 7)
    result = n * _P64_1
    for i in range(4):
        left = acc[2 * i] & _M64 ^ _u64(_SECRET, 11 + 16 * i)
        result += _fold(left, acc[2 * i + 1] & _M64 ^ _u64(_SECRET, 19 + 16 * i))
    return _avalanche(result & _M64)
