r"""Parsers: what turns a model's answer into the text that its children and the scores take.

A parser is a function of one text, the raw answer, which returns the parsed text or raises
`ParseError` with the reason. A parser of scores may also take the keyword `scale`, the bounds
that the template's catalog row gives; one of JSON also `shape`, its schema and path:

    from daydream.errors import ParseError
    from daydream.parsers import Scale, parser

    @parser
    def first_line(answer: str) -> str:
        return answer.splitlines()[0]

    @parser(name="only_score")
    def read(answer: str, *, scale: Scale) -> str:
        return f"{scale.check(float(answer))}\n"

`@parser` changes nothing about the function. It notes it in the namespace of the file it stands
in, where `load_parsers` finds it, for the built-in parsers as for a user's file. So nothing
is registered globally: two experiments in one process have their own `Parsers`.

What parsers return: `identity` the answer exactly; the essay parsers a text without blanks at
its ends; the score parsers the shortest decimal form of the number and a line feed: ``7.0\n``.

    registry   what a parser is: `Scale`, the decorator, `Parsers`
    texts      the built-in parsers of texts      scores   those of scores
    structured   those of answers in JSON
    loading    `load_parsers`: the built-in ones, and those of the user's files
"""

from daydream.parsers.loading import load_parsers
from daydream.parsers.registry import Parser, Parsers, Scale, Shape, parser
from daydream.parsers.scores import in_last_line, three_scores_last_line
from daydream.parsers.texts import essay_block, essay_block_lenient, essay_idea_last, identity

__all__ = [
    "Parser",
    "Parsers",
    "Scale",
    "Shape",
    "essay_block",
    "essay_block_lenient",
    "essay_idea_last",
    "identity",
    "in_last_line",
    "load_parsers",
    "parser",
    "three_scores_last_line",
]
