"""Text to token numbers, as BERT's uncased vocabulary has them.

Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1: a word is cut into the longest pieces that
the vocabulary knows, from its beginning on.
"""

import unicodedata

LONGEST_WORD = 100  # characters; longer ones are unknown
LONGEST_TEXT = 256  # tokens the network was trained for
ASCII_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
CONTROL = ("Cc", "Cf", "Co", "Cs")
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF))


class WordPiece:
    """Token numbers by a vocabulary file: one token a line, its number the line's."""

    def __init__(self, path):
        with open(path, encoding="utf8") as lines:
            self.numbers = {line.rstrip("\n"): number for number, line in enumerate(lines)}

    def encode(self, text):
        """Numbers of [CLS], the text's pieces and [SEP]; a long text is cut off."""
        pieces = [piece for word in words(text) for piece in self.cut(word)]
        tokens = ["[CLS]", *pieces[: LONGEST_TEXT - 2], "[SEP]"]
        return [self.numbers[token] for token in tokens]

    def cut(self, word):
        """Longest known pieces of a word; all but the first begin with `##`."""
        pieces, start = [], 0
        while start < len(word) <= LONGEST_WORD:
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.numbers:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces or ["[UNK]"]


def words(text):
    """Lower-case words without accents; marks and ideographs stand alone."""
    spaced = "".join(f" {c} " if stands_alone(c) else c for c in text if is_shown(c))
    plain = unicodedata.normalize("NFD", spaced.lower())
    return "".join(c for c in plain if unicodedata.category(c) != "Mn").split()


def is_shown(character):
    """Whether it is kept: spaces are, other control characters are not."""
    if character.isspace():
        return True
    return unicodedata.category(character) not in CONTROL and character != "\ufffd"


def stands_alone(character):
    if character in ASCII_MARKS or unicodedata.category(character)[0] == "P":
        return True
    return any(low <= ord(character) <= high for low, high in IDEOGRAPHS)
