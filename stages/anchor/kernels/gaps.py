"""Gaps and overlaps between masks that lie packed in one buffer; ``outlines`` says what the arrays hold.

A mask is a union of unit squares, so the gap between pixels (r, c) and (r', c') is the length of
(max(0, |c - c'| - 1), max(0, |r - r'| - 1)), and the gap between masks is the least over their boundary pixels (those
with a 4-neighbour outside). Boundary pixels lie sorted by row, so a search goes outwards from the nearest row and
ends where the rows alone are further away than the best gap found.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy", nogil=True)
def boundaries(pixels, starts, boxes):
    """Areas, and boundary pixels in raster order: pointers to each row of each mask, columns and rows in the image."""
    n = len(boxes)
    areas, firsts = np.zeros(n, np.int64), np.zeros(n + 1, np.int64)
    for i in range(n):
        firsts[i + 1] = firsts[i] + boxes[i, 3] - boxes[i, 1] + 1
    row_starts = np.zeros(firsts[n], np.int64)
    columns, rows = np.empty(len(pixels), np.int32), np.empty(len(pixels), np.int32)
    found = 0
    for i in range(n):
        height, width, start = boxes[i, 3] - boxes[i, 1], boxes[i, 2] - boxes[i, 0], starts[i]
        for r in range(height):
            row_starts[firsts[i] + r] = found
            for c in range(width):
                at = start + r * width + c
                if not pixels[at]:
                    continue
                areas[i] += 1
                border = r == 0 or c == 0 or r == height - 1 or c == width - 1
                if border or not (pixels[at - 1] and pixels[at + 1] and pixels[at - width] and pixels[at + width]):
                    columns[found], rows[found] = boxes[i, 0] + c, boxes[i, 1] + r
                    found += 1
        row_starts[firsts[i] + height] = found
    pointers = np.empty(n + len(row_starts), np.int64)
    for i in range(n):
        pointers[i] = n + firsts[i]
    for k in range(len(row_starts)):
        pointers[n + k] = row_starts[k]
    return areas, pointers, columns[:found], rows[:found]


@njit(cache=True, error_model="numpy", nogil=True)
def near_boxes(boxes, order, gap):
    """Pairs of boxes at most ``gap`` apart, by a sweep along x."""
    pairs, found = np.empty((64, 2), np.int64), 0
    for a in range(len(order)):
        i = order[a]
        for b in range(a + 1, len(order)):
            j = order[b]
            if boxes[j, 0] - boxes[i, 2] > gap:
                break
            if _box_gap2(boxes, i, j, 1.0, 1.0) <= gap * gap:
                if found == len(pairs):
                    pairs = _doubled(pairs)
                pairs[found, 0], pairs[found, 1] = min(i, j), max(i, j)
                found += 1
    return pairs[:found]


@njit(error_model="numpy", nogil=True)
def _doubled(pairs):
    """The pairs in a table twice as long. A loop: to assign a slice, its error messages get compiled as well."""
    grown = np.empty((2 * len(pairs), 2), np.int64)
    for k in range(len(pairs)):
        grown[k, 0], grown[k, 1] = pairs[k, 0], pairs[k, 1]
    return grown


@njit(error_model="numpy", nogil=True)
def _box_gap2(boxes, i, j, scale_x, scale_y):
    """Squared gap between two boxes."""
    x = max(0, max(boxes[i, 0], boxes[j, 0]) - min(boxes[i, 2], boxes[j, 2])) * scale_x
    y = max(0, max(boxes[i, 1], boxes[j, 1]) - min(boxes[i, 3], boxes[j, 3])) * scale_y
    return x * x + y * y


@njit(error_model="numpy", nogil=True)
def _share_a_pixel(boxes, pixels, starts, i, j):
    left, right = max(boxes[i, 0], boxes[j, 0]), min(boxes[i, 2], boxes[j, 2])
    for r in range(max(boxes[i, 1], boxes[j, 1]), min(boxes[i, 3], boxes[j, 3])):
        at_i = starts[i] + (r - boxes[i, 1]) * (boxes[i, 2] - boxes[i, 0]) - boxes[i, 0]
        at_j = starts[j] + (r - boxes[j, 1]) * (boxes[j, 2] - boxes[j, 0]) - boxes[j, 0]
        for c in range(left, right):
            if pixels[at_i + c] and pixels[at_j + c]:
                return True
    return False


@njit(error_model="numpy", nogil=True)
def _gap2(boxes, pixels, starts, pointers, columns, rows, i, j, scale_x, scale_y, bound):
    """Squared gap between two masks, or some number that is not below ``bound`` when the gap is not."""
    if _box_gap2(boxes, i, j, 1.0, 1.0) == 0 and _share_a_pixel(boxes, pixels, starts, i, j):
        return 0.0
    first, last = pointers[pointers[i]], pointers[pointers[i] + boxes[i, 3] - boxes[i, 1]]
    best, height = bound, boxes[j, 3] - boxes[j, 1]
    for p in range(first, last):
        x, y = columns[p], rows[p]
        near_x = max(0, max(boxes[j, 0] - x - 1, x - boxes[j, 2])) * scale_x
        nearest_row = min(max(y, boxes[j, 1]), boxes[j, 3] - 1)
        for step in range(height):
            # Rows on both sides at this distance from the nearest one; beyond the best gap none can help.
            away = max(0, abs(y - nearest_row) + step - 1) * scale_y
            if near_x * near_x + away * away >= best:
                break
            for side in range(2 if step else 1):
                row = nearest_row + step if side == 0 else nearest_row - step
                if row < boxes[j, 1] or row >= boxes[j, 3]:
                    continue
                down = max(0, abs(y - row) - 1) * scale_y
                at = pointers[j] + row - boxes[j, 1]
                for q in range(pointers[at], pointers[at + 1]):
                    across = max(0, abs(x - columns[q]) - 1) * scale_x
                    best = min(best, across * across + down * down)
        if best == 0:
            break
    return best


@njit(cache=True, error_model="numpy", nogil=True)
def pair_gaps(pairs, boxes, pixels, starts, pointers, columns, rows, scale_x, scale_y):
    squared = np.empty(len(pairs))
    for k in range(len(pairs)):
        squared[k] = _gap2(boxes, pixels, starts, pointers, columns, rows, pairs[k, 0], pairs[k, 1], scale_x, scale_y, np.inf)
    return squared


@njit(cache=True, error_model="numpy", nogil=True)
def nearest(boxes, pixels, starts, pointers, columns, rows, left_out, order, reach, slack):
    """Nearest neighbour of each mask, its squared gap, and whether another's is at most ``slack`` times that, 1 at least.

    A pair is left out when first * n + second is listed.

    ``order`` sorts the masks by their boxes' x0, ``reach[k]`` is the largest x1 among the first k + 1 of them: a search
    from a mask's own place to either side ends where no box can be nearer in x alone.
    """
    n = len(boxes)
    found, squared, tied = np.full(n, -1, np.int64), np.full(n, np.inf), np.zeros(n, np.bool_)
    for place in range(n):
        i = order[place]
        best, second, chosen, chosen_centre = np.inf, np.inf, -1, 0
        for side in range(2):
            k = place + 1 if side == 0 else place - 1
            while 0 <= k < n:
                j = order[k]
                apart = boxes[j, 0] - boxes[i, 2] if side == 0 else boxes[i, 0] - reach[k]
                if apart > 0 and float(apart) * apart > slack * best:
                    break
                if _box_gap2(boxes, i, j, 1.0, 1.0) <= slack * best and not _listed(left_out, i * n + j):
                    # Squared gaps are whole numbers: half a unit more lets a tie be seen.
                    gap = _gap2(boxes, pixels, starts, pointers, columns, rows, i, j, 1.0, 1.0, slack * best + 0.5)
                    centre = _centre2(boxes, i, j)
                    first = centre < chosen_centre or (centre == chosen_centre and j < chosen)
                    if gap < best or (gap == best and first):
                        best, second, chosen, chosen_centre = gap, best, j, centre
                    else:
                        second = min(second, gap)
                k += 1 if side == 0 else -1
        found[i], squared[i], tied[i] = chosen, best, chosen >= 0 and second <= slack * best
    return found, squared, tied


@njit(error_model="numpy", nogil=True)
def _listed(keys, key):
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < len(keys) and keys[low] == key


@njit(error_model="numpy", nogil=True)
def _centre2(boxes, i, j):
    """Squared distance of the box centres, in half pixels: a whole number."""
    x = boxes[i, 0] + boxes[i, 2] - boxes[j, 0] - boxes[j, 2]
    y = boxes[i, 1] + boxes[i, 3] - boxes[j, 1] - boxes[j, 3]
    return x * x + y * y


@njit(cache=True, error_model="numpy", nogil=True)
def fill_holes(indices, boxes, pixels, starts, filled, filled_starts, areas):
    """Flood the outside from the crop's edge, 4-connected; what stays dry is the mask with its holes."""
    for i in indices:
        height, width = boxes[i, 3] - boxes[i, 1], boxes[i, 2] - boxes[i, 0]
        size, source, target = height * width, starts[i], filled_starts[i]
        filled[target : target + size] = 1
        stack, top = np.empty(size, np.int64), 0
        for at in range(size):
            r, c = at // width, at % width
            on_edge = r == 0 or c == 0 or r == height - 1 or c == width - 1
            if on_edge and not pixels[source + at]:
                filled[target + at] = 0
                stack[top] = at
                top += 1
        wet = top
        while top:
            top -= 1
            at = stack[top]
            r, c = at // width, at % width
            for side in range(4):
                y, x = r + (side == 0) - (side == 1), c + (side == 2) - (side == 3)
                to = y * width + x
                inside = 0 <= y < height and 0 <= x < width
                if inside and filled[target + to] and not pixels[source + to]:
                    filled[target + to] = 0
                    stack[top] = to
                    top += 1
                    wet += 1
        areas[i] = size - wet


@njit(cache=True, error_model="numpy", nogil=True)
def shared_counts(pairs, boxes, pixels, starts, others, other_starts):
    counts = np.zeros(len(pairs), np.int64)
    for k in range(len(pairs)):
        i, j = pairs[k, 0], pairs[k, 1]
        left, right = max(boxes[i, 0], boxes[j, 0]), min(boxes[i, 2], boxes[j, 2])
        for r in range(max(boxes[i, 1], boxes[j, 1]), min(boxes[i, 3], boxes[j, 3])):
            at_i = starts[i] + (r - boxes[i, 1]) * (boxes[i, 2] - boxes[i, 0]) - boxes[i, 0]
            at_j = other_starts[j] + (r - boxes[j, 1]) * (boxes[j, 2] - boxes[j, 0]) - boxes[j, 0]
            for c in range(left, right):
                counts[k] += pixels[at_i + c] & others[at_j + c]
    return counts
