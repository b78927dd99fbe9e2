"""Where the sentences of a note begin, and its headings."""
import re

# A sentence ends at a line break, which the corpus has after each, or at a full stop before a capital or a digit. Of
# several full stops only the first is tried: a line of thousands would take minutes.
SENTENCE_END = re.compile(r"\n|(?<![.!?])[.!?]+[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
# Full stops that end no sentence: of a title, of an initial, of a list's number.
NO_END = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|No|Fig|approx)|\b[A-Z]|(?:^|\n)\s*[0-9]{1,2})\s?\.\s+\Z")
# A heading stands on a line of its own and ends in a colon: "HISTORY OF PRESENT ILLNESS :".
HEADING = re.compile(r"^[^\S\n]*(\S[^:\n]{1,60}?)\s?:[^\S\n]*$", re.MULTILINE)


def sentence_starts(text):
    """Offsets at which the sentences of a text begin, headings and items of lists among them; blank ones are none."""
    starts, begin = [], 0
    looked_at, blank = 0, True  # how far, and whether there is only white space since `begin`
    for match in SENTENCE_END.finditer(text):
        if match.group() == "\n" or not NO_END.search(text[max(0, match.end() - 40):match.end()]):
            blank = blank and not text[looked_at:match.end()].strip()
            looked_at = match.end()
            if not blank:
                starts.append(begin)
                begin, blank = looked_at, True
    if text[begin:].strip() or not starts:
        starts.append(begin)
    return starts


def headings(text):
    """(begin, end) of a text's headings, without their colons, in order."""
    return [match.span(1) for match in HEADING.finditer(text)]
