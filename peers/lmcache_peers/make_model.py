# lmcache · SPDX-License-Identifier: Apache-2.0
"""Writes a small random Qwen3 model and a tokenizer for it, without fetching anything.

    python make_model.py FOLDER

The weights are wider than a trained model's start: with the usual 0.02 the logits are nearly equal, a rounding
difference then changes the text, and the text hardly depends on what the cache holds.
"""

from __future__ import annotations

import pathlib
import sys
import sysconfig

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

VOCABULARY_SIZE = 2048
END_OF_TEXT = "<|end|>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer on the sources of Python's own library."""
    sources = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))[:80]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(source) for source in sources], trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT)
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def make_model() -> Qwen3ForCausalLM:
    """Makes a model of four layers; equal for every run."""
    torch.manual_seed(20)
    config = Qwen3Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=4096,
        initializer_range=0.08,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    config.architectures = ["Qwen3ForCausalLM"]
    return Qwen3ForCausalLM(config).to(torch.bfloat16)


def main(folder: str) -> None:
    make_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
