"""Chinese phrases by a glossary: what a phrase is sent as in English, or why it is not sent.

    phrase  =  { (colour | material) [ 的 ] } noun

Every part must be a word of the glossary, and the whole phrase must be used up. Nothing is guessed:
a rest, a negation, a count, or a second reading is refused with a sentence that says what to do.
"""

from maskpool.glossary.compose import Composed, GlossaryError, Why, compose
from maskpool.glossary.words import Glossary, Kind, Word, shipped

__all__ = ["Composed", "Glossary", "GlossaryError", "Kind", "Why", "Word", "compose", "shipped"]
