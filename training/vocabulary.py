"""What the demo models can read: colours, shapes, the phrases made of them, and the tokenizer."""

from dataclasses import dataclass

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SHAPES = ("circle", "square", "triangle", "star", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")

#: The word that stands for every shape.
ANY_SHAPE = "shape"
ARTICLES = ("a", "an", "the", "all")

PAD, BOS, UNK, EOS = "<pad>", "<bos>", "<unk>", "<eos>"
PAD_ID, BOS_ID, UNK_ID, EOS_ID = 0, 1, 2, 3
MAX_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing a prompt can ask for."""

    #: A name from `COLOURS`, or None for any colour.
    colour: str | None
    #: A name from `SHAPES`, or None for any shape.
    shape: str | None

    @property
    def text(self) -> str:
        """The plain singular wording, such as "red circle", "circle" or "red shape"."""
        return " ".join(word for word in (self.colour, self.shape or ANY_SHAPE) if word)

    def matches(self, colour: str, shape: str) -> bool:
        """Tells whether an object of this colour and shape is asked for."""
        return self.colour in (None, colour) and self.shape in (None, shape)


def combinations() -> list[Phrase]:
    """Returns every phrase which names both a colour and a shape."""
    return [Phrase(colour, shape) for colour in COLOURS for shape in SHAPES]


def plural(word: str) -> str:
    """Returns the plural of a shape's name."""
    return word + ("es" if word.endswith("s") else "s")


def words() -> list[str]:
    """Returns every word the tokenizer knows, in the order of their ids from 4."""
    nouns = (*SHAPES, ANY_SHAPE)
    return [*ARTICLES, *COLOURS, *nouns, *(plural(noun) for noun in nouns)]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Builds a word-level, lower-casing tokenizer which `AutoTokenizer` can load again."""
    ids = {PAD: PAD_ID, BOS: BOS_ID, UNK: UNK_ID, EOS: EOS_ID}
    ids |= {word: len(ids) + index for index, word in enumerate(words())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(BOS, BOS_ID), (EOS, EOS_ID)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
    )
