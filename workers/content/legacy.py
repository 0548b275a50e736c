"""ContentVec's official legacy checkpoints, read without fairseq.

They are training checkpoints of fairseq (``Trainer.state_dict``): a configuration, parameters, and a pickled
dictionary of cluster names, which is not needed. Nothing of fairseq is imported, and nothing is executed.
"""

import re
from pathlib import Path
from typing import Any

from voxrelay.relay import clock
from voxrelay.relay.errors import BadConfigError
from voxrelay.workers.runtime.weights import load_torch

_CONV = r"\[ *\( *(\d{1,4}) *, *(\d{1,2}) *, *(\d{1,2}) *\) *\](?: *\* *(\d{1,2}))?"
_CONVS = re.compile(rf"{_CONV}(?: *\+ *{_CONV})*")

# Parameters, fairseq -> transformers; what is not listed keeps its name.
_RENAMED = [
    (r"mask_emb", "masked_spec_embed"),
    (r"layer_norm\.(.*)", r"feature_projection.layer_norm.\1"),
    (r"post_extract_proj\.(.*)", r"feature_projection.projection.\1"),
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.(.*)", r"feature_extractor.conv_layers.\1.conv.\2"),
    (r"feature_extractor\.conv_layers\.(\d+)\.2\.(.*)", r"feature_extractor.conv_layers.\1.layer_norm.\2"),
    (r"encoder\.pos_conv\.0\.(.*)", r"encoder.pos_conv_embed.conv.\1"),
    (r"encoder\.layers\.(\d+)\.self_attn\.(.*)", r"encoder.layers.\1.attention.\2"),
    (r"encoder\.layers\.(\d+)\.self_attn_layer_norm\.(.*)", r"encoder.layers.\1.layer_norm.\2"),
    (r"encoder\.layers\.(\d+)\.fc1\.(.*)", r"encoder.layers.\1.feed_forward.intermediate_dense.\2"),
    (r"encoder\.layers\.(\d+)\.fc2\.(.*)", r"encoder.layers.\1.feed_forward.output_dense.\2"),
]
_TRAINING_ONLY = {"label_embs_concat"}  # embeddings of the clusters that it was trained to predict
# Keys of the configuration, transformers <- fairseq, with fairseq's own default.
_SIZES = {
    "hidden_size": ("encoder_embed_dim", 768),
    "num_hidden_layers": ("encoder_layers", 12),
    "num_attention_heads": ("encoder_attention_heads", 12),
    "intermediate_size": ("encoder_ffn_embed_dim", 3072),
    "num_conv_pos_embeddings": ("conv_pos", 128),
    "num_conv_pos_embedding_groups": ("conv_pos_groups", 16),
}
# What HuBERT-base is, and the transformers layout of it does not say.
_FIXED = {
    "extractor_mode": "default",
    "layer_norm_first": False,
    "conv_bias": False,
    "activation_fn": "gelu",
}


class _Name:
    """Stands for a class of fairseq in a pickle: it takes its attributes and does nothing."""


_ALLOWED = [(_Name, "fairseq.data.dictionary.Dictionary"), (_Name, "argparse.Namespace")]


def read(path: Path, sha256: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint into configuration and parameters of the transformers layout.

    Raises:
        BadConfigError: another hash, more than weights, or no such checkpoint.

    """
    state = load_torch(path, sha256=sha256, allowed=_ALLOWED)
    try:
        _, model = config(state, path)
        tensors = {_rename(name): value for name, value in state["model"].items() if name not in _TRAINING_ONLY}
        return _translate(model, path), tensors
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise refused(path) from error


def config(state: dict[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the task's and the model's configuration of a checkpoint, after they were checked.

    Raises:
        BadConfigError: one that means other input, or that is more than a configuration.

    """
    task, model = (dict(state["cfg"][part]) for part in ("task", "model"))
    if task["normalize"] or task["sample_rate"] != clock.RATE:
        what = f"wants input with normalize {task['normalize']} at {task['sample_rate']} Hz"
        raise BadConfigError(what, where=str(path), hint=f"only normalize False at {clock.RATE} Hz is read")
    layers = str(model["conv_feature_layers"])
    if not _CONVS.fullmatch(layers):  # fairseq evaluates this string as Python
        raise BadConfigError(f"conv_feature_layers {layers[:80]!r}", where=str(path), hint="not a list of convolutions")
    return task, model


def refused(path: Path) -> BadConfigError:
    """Say what is read here."""
    hint = "contentvec reads the official legacy checkpoints, such as checkpoint_best_legacy_500.pt"
    return BadConfigError("not a HuBERT checkpoint of fairseq", where=str(path), hint=hint)


def _translate(model: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write a configuration of fairseq as one of transformers."""
    for name, wanted in _FIXED.items():
        if model.get(name, wanted) != wanted:
            raise BadConfigError(
                f"{name} {model[name]!r}", where=str(path), hint=f"allowed: {wanted!r}, as HuBERT-base"
            )
    convolutions = _convolutions(model["conv_feature_layers"])
    sizes = {ours: int(model.get(theirs, default)) for ours, (theirs, default) in _SIZES.items()}
    return {
        "architectures": ["HubertModelWithFinalProj"],
        "model_type": "hubert",
        **sizes,
        "classifier_proj_size": int(model.get("final_dim", 0)) or sizes["hidden_size"],
        **{f"conv_{part}": [layer[i] for layer in convolutions] for i, part in enumerate(("dim", "kernel", "stride"))},
        "feat_extract_norm": "group",
        "do_stable_layer_norm": False,
        "conv_bias": False,
        "hidden_act": "gelu",
    }


def _convolutions(text: str) -> list[tuple[int, int, int]]:
    """Read ``[(512,10,5)] + [(512,3,2)] * 4``: channels, kernel and stride of each."""
    found = []
    for channels, kernel, stride, times in re.findall(_CONV, text):
        found += [(int(channels), int(kernel), int(stride))] * int(times or 1)
    return found


def _rename(name: str) -> str:
    for pattern, ours in _RENAMED:
        if match := re.fullmatch(pattern, name):
            return match.expand(ours)
    return name
