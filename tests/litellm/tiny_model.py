"""Writes a model that says nothing sensible: `python tiny_model.py FILE`, with the packages gguf and numpy.

Two layers of random weights and a vocabulary of bytes, in half a megabyte.
"""

import sys

import gguf
import numpy as np

WIDTH, HIDDEN, LAYERS, HEADS, BYTES = 64, 128, 2, 4, 256
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def main() -> None:
    """Write the file that the command line names."""
    to, random = gguf.GGUFWriter(sys.argv[1], "llama"), np.random.default_rng(7)

    def matrix(name: str, *shape: int) -> None:
        to.add_tensor(name, (random.standard_normal(shape) * 0.3).astype(np.float32))

    _describe(to)
    matrix("token_embd.weight", 3 + BYTES, WIDTH)
    to.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    matrix("output.weight", 3 + BYTES, WIDTH)
    for layer in (f"blk.{n}." for n in range(LAYERS)):
        for norm in ("attn_norm", "ffn_norm"):
            to.add_tensor(f"{layer}{norm}.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{layer}{name}.weight", WIDTH, WIDTH)
        matrix(f"{layer}ffn_gate.weight", HIDDEN, WIDTH)
        matrix(f"{layer}ffn_up.weight", HIDDEN, WIDTH)
        matrix(f"{layer}ffn_down.weight", WIDTH, HIDDEN)
    to.write_header_to_file()
    to.write_kv_data_to_file()
    to.write_tensors_to_file()
    to.close()


def _describe(to: gguf.GGUFWriter) -> None:
    to.add_context_length(512)
    to.add_embedding_length(WIDTH)
    to.add_block_count(LAYERS)
    to.add_feed_forward_length(HIDDEN)
    to.add_head_count(HEADS)
    to.add_head_count_kv(HEADS)
    to.add_layer_norm_rms_eps(1e-5)
    to.add_rope_dimension_count(WIDTH // HEADS)
    to.add_vocab_size(3 + BYTES)
    to.add_tokenizer_model("llama")
    to.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(BYTES))])
    to.add_token_scores([0.0] * (3 + BYTES))
    to.add_token_types([2, 3, 3] + [6] * BYTES)
    to.add_bos_token_id(1)
    to.add_eos_token_id(2)
    to.add_unk_token_id(0)
    to.add_add_space_prefix(False)
    to.add_chat_template(CHAT)


if __name__ == "__main__":
    main()
