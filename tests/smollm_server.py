"""SmolLM2-135M-Instruct on a chat-completions server: the real weights, tokenizer and chat template."""

import threading

import torch
import transformers

from tests.chat_server import Act, Body, says
from worthit.models.weights import checkpoints


class SmolLM:
    """Greedy answers with the log-probabilities of each token."""

    def __init__(self) -> None:
        folder = checkpoints.resolve("SmolLM2-135M-Instruct").folder
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        self._lock = threading.Lock()

    def prompt(self, messages: list[dict[str, str]]) -> torch.Tensor:
        """Token ids of the messages in the chat template, shape (1, n)."""
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return self.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]

    @torch.inference_mode()
    def answer(self, body: Body, number: int) -> Act:
        ids = self.prompt(body["messages"])
        with self._lock:
            done = self.network.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=body["max_tokens"],
                do_sample=False, output_logits=True, return_dict_in_generate=True,
                pad_token_id=self.tokenizer.eos_token_id,
            )  # fmt: skip
        new = done.sequences[0, ids.shape[1] :]
        logs, tokens = done.logits[0][0].float().log_softmax(0).topk(body["top_logprobs"])
        likely = {
            self.tokenizer.decode(token): float(log)
            for token, log in zip(tokens, logs, strict=True)
        }
        text = self.tokenizer.decode(new, skip_special_tokens=True)
        act = says(text, likely)
        act.body["usage"] = {"prompt_tokens": ids.shape[1], "completion_tokens": len(new)}
        return act
