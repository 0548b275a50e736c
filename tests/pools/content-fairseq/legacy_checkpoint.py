"""Write a checkpoint in the format of ContentVec's official legacy ones, small and with random weights.

The official files are fairseq training checkpoints (``Trainer.state_dict``) of the task
``contentvec_pretraining`` whose configuration was renamed to ``hubert_pretraining`` afterwards, as its author
shows in https://github.com/auspicious3000/contentvec/issues/30: the model section keeps three keys that
stock fairseq does not know. The architecture is HuBERT-base's, with twelve layers and its strides, but narrow.

    python legacy_checkpoint.py OUT.pt [--base]     --base: as wide as HuBERT-base, 1.1 GB
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from voxrelay.workers.content.fairseq_compat import importable

with importable():
    from fairseq.criterions.hubert_criterion import HubertCriterionConfig
    from fairseq.data.dictionary import Dictionary
    from fairseq.dataclass.configs import FairseqConfig
    from fairseq.models.hubert import HubertConfig, HubertModel
    from fairseq.optim.adam import FairseqAdamConfig
    from fairseq.optim.lr_scheduler.polynomial_decay_schedule import PolynomialDecayLRScheduleConfig
    from fairseq.tasks.hubert_pretraining import HubertPretrainingConfig
    from omegaconf import OmegaConf

OFFICIAL = {  # contentvec/config/contentvec/contentvec.yaml, where it differs from fairseq's defaults
    "mask_prob": 0.8,
    "conv_feature_layers": "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2",
    "final_dim": 256,
    "encoder_layerdrop": 0.05,
    "dropout_input": 0.1,
    "dropout_features": 0.1,
    "feature_grad_mult": 0.1,
    "untie_final_proj": True,
}
NARROW = {
    "conv_feature_layers": "[(32,10,5)] + [(32,3,2)] * 4 + [(32,2,2)] * 2",
    "final_dim": 16,
    "encoder_embed_dim": 48,
    "encoder_ffn_embed_dim": 96,
    "encoder_attention_heads": 4,
}
CONTENTVEC_ONLY = {"encoder_layers_1": 1, "logit_temp_ctr": 1.0, "ctr_layers": [-1]}


def write(path: Path, model: Mapping[str, Any] = NARROW, *, clusters: int = 500, seed: int = 0) -> None:
    """Write a checkpoint whose model section is the official one changed by ``model``."""
    torch.manual_seed(seed)
    dictionary = Dictionary()
    for cluster in range(clusters):
        dictionary.add_symbol(str(cluster), n=clusters - cluster)
    cfg = _config({**OFFICIAL, **model})
    task = OmegaConf.create({"task": cfg["task"]}).task
    hubert = HubertModel(OmegaConf.create(cfg["model"]), task, [dictionary])
    for name, weight in hubert.named_parameters():
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "bias")):
            # BERT's initial weights attend to everything alike, and have no biases: neither would be seen.
            torch.nn.init.normal_(weight, std=0.5 / weight.shape[-1] ** 0.25)
    cfg["model"].update(CONTENTVEC_ONLY)
    torch.save(_state(cfg, hubert, dictionary), path)


def _config(model: dict[str, Any]) -> dict[str, Any]:
    """Make the plain dictionary that fairseq's trainer stores of its configuration."""
    root = OmegaConf.structured(FairseqConfig)
    OmegaConf.set_struct(root, value=False)
    root.common.fp16 = True
    sections = {
        "task": (HubertPretrainingConfig, "hubert_pretraining", _TASK),
        "model": (HubertConfig, "hubert", {"label_rate": 50.0, **model}),
        "criterion": (HubertCriterionConfig, "hubert", {"loss_weights": [10.0, 1.0]}),
        "optimizer": (FairseqAdamConfig, "adam", {"adam_betas": "(0.9,0.98)", "adam_eps": 1e-6, "weight_decay": 0.01}),
        "lr_scheduler": (PolynomialDecayLRScheduleConfig, "polynomial_decay", {"warmup_updates": 8000}),
    }
    for section, (schema, name, values) in sections.items():
        root[section] = OmegaConf.merge(OmegaConf.structured(schema), {"_name": name, **values})
    config: dict[str, Any] = OmegaConf.to_container(root, resolve=True, enum_to_str=True)
    return config


_TASK = {
    "data": "metadata",
    "label_dir": "label",
    "labels": ["km"],
    "label_rate": 50.0,
    "max_sample_size": 250_000,
    "min_sample_size": 32_000,
}


def _state(cfg: dict[str, Any], hubert: Any, dictionary: Any) -> dict[str, Any]:
    """Gather what ``fairseq.trainer.Trainer.state_dict`` and ``checkpoint_utils.save_checkpoint`` store."""
    meter = {"val": 2.5, "sum": 250.0, "count": 100, "round": 3}
    history = {
        "criterion_name": "HubertCriterion",
        "optimizer_name": "FP16Optimizer",
        "lr_scheduler_state": {"best": 2.5},
        "num_updates": 100_000,
    }
    optimizer = torch.optim.Adam(hubert.parameters())
    return {
        "args": None,
        "cfg": cfg,
        "model": hubert.state_dict(),
        "criterion": None,
        "optimizer_history": [history],
        "task_state": {"dictionaries": [dictionary]},
        "extra_state": {
            "train_iterator": {"version": 2, "epoch": 100, "iterations_in_epoch": 0, "shuffle": True},
            "val_loss": 2.5,
            "metrics": {"default": [(10, "loss", "AverageMeter", meter)]},
            "previous_training_time": 3600.0,
        },
        "last_optimizer_state": {**optimizer.state_dict(), "loss_scale": 4.0},
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), {} if sys.argv[2:] == ["--base"] else NARROW)
