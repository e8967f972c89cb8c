"""The judges that ``verify.judges`` may name. The embedded one works where an image is at hand, the others ask a model afterwards."""

from __future__ import annotations

from collections.abc import Callable

from stages.core.params import Params
from stages.verify.judges.embedded import EvidenceJudge
from stages.verify.judges.judge import Judge
from stages.verify.judges.models import endpoint_judge, local_judge

EMBEDDED: dict[str, Judge] = {"evidence": EvidenceJudge()}
MODELS: dict[str, Callable[[Params], Judge]] = {"endpoint": endpoint_judge, "local": local_judge}
