"""params.yaml as frozen dataclasses. An unknown key is an error that names its nearest neighbour.

One block per stage, plus ``seed``, ``datasets``, ``vlm`` and ``engine``. Nothing here has a default: every knob
stands in params.yaml with a comment, so that what ran can be read in one place.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ParamError(ValueError):
    """params.yaml says something that no stage understands."""


@dataclass(frozen=True)
class DatasetParams:
    """One source: its card, and the folder that holds it."""

    card: str
    root: str


@dataclass(frozen=True)
class EngineParams:
    """Where maps over items run: ``workers`` processes of this machine (0: one per core), or the cluster at ``address``."""

    workers: int
    kind: str
    address: str | None


@dataclass(frozen=True)
class EndpointParams:
    """An OpenAI-compatible server: where, which model, how it decodes, how fast and how much may be asked (0: no limit)."""

    base_url: str
    model: str | None
    revision: str
    api_key_env: str | None
    structured: str
    system_turn: bool
    probe: bool
    temperature: float
    max_tokens: int
    concurrency: int
    requests_per_minute: float
    timeout_s: float
    max_retries: int
    max_requests: int
    max_cost: float
    price_per_million_input: float
    price_per_million_output: float


@dataclass(frozen=True)
class LocalParams:
    """A vision-language model of ``transformers`` in this process."""

    model: str | None
    revision: str | None
    max_tokens: int


@dataclass(frozen=True)
class VlmParams:
    """The base model (a model card or the folder of one), and the models that may write or judge."""

    base: str
    endpoint: EndpointParams
    local: LocalParams


@dataclass(frozen=True)
class PhantomParams:
    """How many cases each synthetic dataset gets."""

    cases: dict[str, int]


@dataclass(frozen=True)
class IngestParams:
    """Sampling of slices and the gates of ingestion."""

    max_error_rate: float
    max_slices_per_volume: int
    max_slices_per_label: int
    min_slice_gap: int
    min_object_px: int
    max_pixels: int
    max_side_px: int
    min_coverage: dict[str, float]
    near_duplicate_bits: int


@dataclass(frozen=True)
class AnchorParams:
    """What becomes a target."""

    max_error_rate: float
    min_component_px: int
    min_component_mm2: float
    min_component_fraction: float
    merge_gap_px: float
    split_organs: bool
    crowd_area_ratio: float
    crowd_solidity: float
    crowd_neck: float
    ring_px: int


@dataclass(frozen=True)
class GenerateParams:
    """How many queries of which kind, and who writes them."""

    writer: str
    queries_per_image: int
    share_multi: float
    share_none: float
    share_name: float
    styles: dict[str, float]
    max_claims: int
    texts_per_target: int
    mark: str
    picture_px: int
    repairs: int
    max_error_rate: float


@dataclass(frozen=True)
class VerifyParams:
    """Gates of the verification cascade."""

    max_error_rate: float
    max_words: int
    min_words: int
    min_visibility: float
    near_duplicate: float
    judges: list[str]
    combine: str
    votes: int
    picture_px: int


@dataclass(frozen=True)
class AuditParams:
    """How many clean queries the planted-fault audit works on."""

    max_error_rate: float
    images_per_dataset: int
    queries_per_image: int


@dataclass(frozen=True)
class SplitParams:
    """Shares of the patients; the rest is training."""

    val_share: float
    test_share: float
    perceptual_distance: int
    keep_source_split: bool


@dataclass(frozen=True)
class SecondRoundParams:
    """The second round of the nano base's pretraining, in which it learns to measure and to compare.

    ``after`` steps of the first, with step sizes of ``rate`` times their peaks and a vision part of ``vision_layers``; for
    its first ``seeing_steps`` nothing is asked: the vision part learns from the dense auxiliary alone.
    """

    after: int
    rate: float
    vision_layers: int
    seeing_steps: int
    rank_weight: float
    measure_weight: float


@dataclass(frozen=True)
class PretrainParams:
    """Making the nano base: its sizes, the curriculum (shares of the first round's steps), the losses and the optimiser.

    ``pictures`` is the folder of the medical pictures' samples and anchors, ``cases`` the studies written there by
    dataset, ``patients_of`` a corpus of which only the training patients may be seen (None: all that stand there).
    """

    pictures: str
    cases: dict[str, int]
    picture_share: float
    patients_of: str | None
    steps: int
    images_per_step: int
    questions_per_image: int
    single_share: float
    few_share: float
    calm_share: float
    matrix_rate: float
    learning_rate: float
    warmup_steps: int
    decay_share: float
    second: SecondRoundParams | None
    weight_decay: float
    sigma_bins: float
    l1_weight: float
    dense_weight: float
    image_px: int
    patch_px: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int
    heads: int
    mlp_ratio: int
    vocabulary: int
    checkpoint_steps: int
    heldout_images: int
    threads: int


@dataclass(frozen=True)
class LoraParams:
    """The low-rank adapter: which parts of the model it touches and how."""

    rank: int
    alpha: int
    dropout: float
    rslora: bool
    dora: bool
    targets: list[str]
    modules_to_save: list[str]


@dataclass(frozen=True)
class AugmentParams:
    """Augmentation of training pictures; every number is the greatest strength or the share of the draws."""

    brightness: float
    contrast: float
    noise: float
    blur_share: float
    shift: float
    zoom: float
    mirror_share: float


@dataclass(frozen=True)
class ValidationParams:
    """How often the training answers questions of the validation patients, and what follows from the answers."""

    every_steps: int
    examples: int
    patience: int
    keep: str


@dataclass(frozen=True)
class FinetuneParams:
    """Arms, optimiser and adapter of the fine-tuning."""

    arms: list[str]
    mix_name_share: float
    parallel_arms: int
    launcher: str
    max_steps: int
    images_per_step: int
    accumulation: int
    questions_per_image: int
    learning_rate: float
    schedule: str
    warmup_share: float
    weight_decay: float
    max_grad_norm: float
    precision: str
    attention: str
    gradient_checkpointing: bool
    loader_workers: int
    location_loss: bool
    sigma_bins: float
    l1_weight: float
    dense_weight: float
    checkpoint_steps: int
    validation: ValidationParams
    lora: LoraParams
    augment: AugmentParams


@dataclass(frozen=True)
class PredictParams:
    """Batched generation, the decoder's constraint, and the probes."""

    batch_size: int
    batch_tokens: int
    max_boxes: int
    constrained: bool
    probes: list[str]
    probe_examples: int
    endpoint_codec: str


@dataclass(frozen=True)
class UnseenParams:
    """Datasets and modalities that ``split`` keeps out of training and validation."""

    datasets: list[str]
    modalities: list[str]


@dataclass(frozen=True)
class EvaluateParams:
    """Bootstrap, and what is tested unseen."""

    bootstrap_draws: int
    confidence: float
    unseen: UnseenParams


@dataclass(frozen=True)
class ReportParams:
    """How many samples the galleries show, how large, and whose answers."""

    samples_per_gallery: int
    thumbnail_px: int
    max_mb: int
    subject: str
    reference: str


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml."""

    seed: int
    datasets: dict[str, DatasetParams]
    engine: EngineParams
    vlm: VlmParams
    phantom: PhantomParams
    ingest: IngestParams
    anchor: AnchorParams
    generate: GenerateParams
    verify: VerifyParams
    audit: AuditParams
    split: SplitParams
    pretrain: PretrainParams
    finetune: FinetuneParams
    predict: PredictParams
    evaluate: EvaluateParams
    report: ReportParams


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check params.yaml.

    Raises:
        ParamError: the file is missing, is not a mapping, or a key is unknown, missing or of the wrong type.
    """
    path = Path(path)
    return build(Params, read_yaml(path, "run from the repository's root, where params.yaml lies"), path.name)


class _StrictLoader(yaml.CSafeLoader):
    """The safe loader (its compiled form), which builds plain values only; a key that stands twice is an error, not an overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first_line: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            key = self.construct_object(key_node)
            if key in first_line:
                message = f"the key {key!r} stands twice in one mapping, first in line {first_line[key]}"
                raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
            first_line[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


def read_yaml(path: Path | str, missing: str) -> Any:
    """Content of a YAML file: plain values only, and no key twice in one mapping.

    Args:
        missing: what the user should do when the file is not there.

    Raises:
        ParamError: the file is missing, is not UTF-8 or is no valid YAML; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ParamError(f"{path} not found: {missing}")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamError(f"{path} is not valid YAML: {error}") from error


def build(annotation: Any, value: Any, where: str) -> Any:
    """Build a value of the annotated type from plain YAML; every error names ``where`` it stands."""
    if dataclasses.is_dataclass(annotation):
        return _build_dataclass(typing.cast(type, annotation), value, where)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        _expect(isinstance(value, dict), where, "a mapping", value)
        return {key: build(arguments[1], item, f"{where}:{key}") for key, item in value.items()}
    if origin is list:
        _expect(isinstance(value, list), where, "a list", value)
        return [build(arguments[0], item, f"{where}:{index}") for index, item in enumerate(value)]
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return build(inner, value, where)
    if annotation is float:
        _expect(isinstance(value, (int, float)) and not isinstance(value, bool), where, "a number", value)
        return float(value)
    if annotation is int:
        _expect(isinstance(value, int) and not isinstance(value, bool), where, "a whole number", value)
        return value
    if annotation is Any:
        return value
    _expect(isinstance(value, annotation), where, f"of type {annotation.__name__}", value)
    return value


def _build_dataclass(record_type: type, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "a mapping", value)
    hints = typing.get_type_hints(record_type)
    for key in value:
        if key not in hints:
            near = difflib.get_close_matches(str(key), list(hints), n=1, cutoff=0.0)
            raise ParamError(f"{where}: unknown key {key!r}; did you mean {near[0]!r}? Known: {', '.join(sorted(hints))}")
    optional = {field.name for field in dataclasses.fields(record_type) if field.default is not dataclasses.MISSING}
    missing = [name for name in hints if name not in value and name not in optional]
    if missing:
        raise ParamError(f"{where}: missing {', '.join(missing)}")
    return record_type(**{key: build(hints[key], item, f"{where}:{key}") for key, item in value.items()})


def _expect(condition: bool, where: str, expected: str, value: Any) -> None:
    if not condition:
        raise ParamError(f"{where}: expected {expected}, got {value!r}")


def require(condition: bool, name: str, rule: str, value: Any) -> None:
    """Check a parameter's range where it is used; the error names the parameter."""
    if not condition:
        raise ParamError(f"params.yaml:{name} must be {rule}, got {value!r}")
