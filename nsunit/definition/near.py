"""The nearest known word, for hints.  Imported only when something is wrong."""

from __future__ import annotations


def distance(left: str, right: str) -> int:
    """Return the number of edits between two words, a swap of neighbours counting as one, case counting as none."""
    left, right = left.lower(), right.lower()
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """Return the one of *known* that *word* was probably meant to be, or None."""
    limit = max(1, len(word) // 3)
    scored = sorted(
        (distance(word, candidate), candidate) for candidate in known if abs(len(candidate) - len(word)) <= limit
    )
    return scored[0][1] if scored and scored[0][0] <= limit else None


def did_you_mean(word: str, known: tuple[str, ...] | list[str], form: str) -> str | None:
    """Return "did you mean …?" with the nearest of *known* put into *form*, or None."""
    found = nearest(word[:64], known)
    return f"did you mean {form.format(found)}?" if found else None
