"""The messages of a request: the question, examples with their answers, and the comment."""

from collections.abc import Sequence
from dataclasses import dataclass

from worthit.models.transformer.prompting import prompts

#: names that begin alike are replaced by letters, as for a model whose tokens are known
_FIRST_CHARACTERS = 3
_COMMENT = "\n\nComment:"

Message = dict[str, str]
Example = tuple[str, int]  # a comment and the index of its class


@dataclass(frozen=True)
class Question:
    """What the server is asked, and the answer for each class."""

    text: str
    answers: tuple[str, ...]  # in the order of the classes

    @classmethod
    def about(cls, classes: Sequence[str]) -> "Question":
        """The question that `prompts` asks a local LLM.

        The tokens of a server's model are unknown, so answers must differ in their first characters.
        """
        seen: list[str] = []
        answer_of: dict[int, str] = {}

        def first_tokens(answers: Sequence[str]) -> list[int]:
            tokens = []
            for answer in answers:
                begin = answer.strip()[:_FIRST_CHARACTERS]
                if begin not in seen:
                    seen.append(begin)
                tokens.append(seen.index(begin))
                answer_of.setdefault(tokens[-1], answer.strip())
            return tokens

        prompt = prompts.prompt(classes, first_tokens, "the endpoint")
        return cls(
            prompt.question.removesuffix(_COMMENT),
            tuple(answer_of[token] for token in prompt.tokens),
        )

    def messages(self, comment: str, examples: Sequence[Example] = ()) -> list[Message]:
        """The question as system message; each comment as the user's, each answer as the assistant's."""
        shots = [
            message
            for text, label in examples
            for message in (_user(text), {"role": "assistant", "content": self.answers[label]})
        ]
        return [{"role": "system", "content": self.text}, *shots, _user(comment)]


def _user(comment: str) -> Message:
    return {"role": "user", "content": f"Comment: {comment}{prompts.CUE}"}
