"""What a sample tells about the median of where it comes from."""

import math


def interval(ratios, confidence=0.95):
    """The order statistics between which the median of the population lies with the given confidence."""
    ordered, count = sorted(ratios), len(ratios)
    tail, rank = 0.0, 0
    while rank < count // 2:
        tail += math.comb(count, rank) / 2 ** count
        if 2 * tail > 1 - confidence:
            break
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[count - rank]
