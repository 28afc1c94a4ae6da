"""How many slips of the hand lie between two words."""


def distance(one: str, other: str) -> int:
    """Count the slips between two words: letters put in, left out, exchanged, or swapped with their neighbour.

    Optimal string alignment, which is Damerau-Levenshtein where nothing is changed twice.
    """
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        here = [row]
        for column, against in enumerate(other, start=1):
            slips = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != against))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                slips = min(slips, before[column - 2] + 1)
            here.append(slips)
        before, above = above, here
    return above[-1]
