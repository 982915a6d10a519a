"""A small BERT with random weights."""

import torch

from agent.settings import EncoderSettings


def tiny_bert(path, words, **settings):
    """Writes the folder of a small BERT with random weights, as `save_pretrained` does, and its vocabulary."""
    import transformers  # noqa: PLC0415 - seconds to import

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (path / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizerFast", "do_lower_case": true}')
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.BertModel(transformers.BertConfig(vocab_size=len(vocabulary), **shape))
    model.save_pretrained(path)
    return EncoderSettings(model=str(path), **settings)
