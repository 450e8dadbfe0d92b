"""Test data whose every byte can be checked.

A payload is determined by its seed and length, so that both ends of a transfer can make it without sharing it.
"""

import hashlib
import random


def payload(length, seed=0):
    """Returns `length` bytes that are the same for the same seed and not compressible."""
    return random.Random(seed).randbytes(length)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sha256_file(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') \
            else sha256(file.read())
