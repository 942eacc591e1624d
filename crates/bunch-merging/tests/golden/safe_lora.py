"""Goldens of safe_lora, computed in 64 bits from the definition: C = V V^T / |V| is formed in full.

    python3 safe_lora.py
"""

import math
import pathlib
import random
import struct


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def shortest(value):
    """The shortest decimal that reads back as the same single-precision number."""
    return next(text for digits in range(1, 18) if single(float(text := f"{value:.{digits}g}")) == value)


def subtract(a, b):
    return [[x - y for x, y in zip(*rows)] for rows in zip(a, b)]


def add(a, b):
    return [[x + y for x, y in zip(*rows)] for rows in zip(a, b)]


def multiply(a, b):
    return [[math.fsum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def inner(a, b):
    return math.fsum(x * y for rows in zip(a, b) for x, y in zip(*rows))


def project(base, tuned, aligned):
    v, d = subtract(aligned, base), subtract(tuned, aligned)
    norm = math.sqrt(inner(v, v))
    c = [[x / norm for x in row] for row in multiply(v, list(zip(*v)))]
    projected = multiply(c, d)
    return add(aligned, projected), inner(projected, d) / math.sqrt(inner(projected, projected) * inner(d, d))


def listed(matrix):
    numbers = (shortest(single(x)) for row in matrix for x in row)
    return "[" + ", ".join(text if "." in text or "e" in text else text + ".0" for text in numbers) + "]"


def write(rows, columns, seed):
    source = random.Random(seed)
    noise = lambda scale: [[scale * source.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]
    rounded = lambda matrix: [[single(x) for x in row] for row in matrix]
    base = rounded(noise(1.0))
    aligned = rounded(add(base, noise(0.25)))
    tuned = rounded(add(aligned, noise(0.125)))
    projected, cosine = project(base, tuned, aligned)
    lines = [
        f"# Made by safe_lora.py. The cosine is {cosine:.6f}.",
        f"shape = [{rows}, {columns}]",
        f"base = {listed(base)}",
        f"experts = [\n    {listed(tuned)},\n    {listed(aligned)},\n]",
    ]
    for name, threshold, merged in (("projected", cosine + 0.05, projected), ("kept", cosine - 0.05, tuned)):
        lines.append(f'\n[[case]]\nname = "{name}"\nmerge.safe_lora = {{ threshold = {threshold:.3f} }}\nmerged = {listed(merged)}')
    path = pathlib.Path(__file__).with_name(f"definition-safe-lora-{rows}x{columns}.toml")
    path.write_text("\n".join(lines) + "\n")


for rows, columns, seed in ((9, 5, 1), (5, 9, 2), (6, 6, 3)):
    write(rows, columns, seed)
