"""What only a GPU can show: `pytest -m gpu tests/test_gpu.py` (skipped without CUDA)."""

from __future__ import annotations

import pytest
import torch
from test_train import documents, job, recipe, same_bits
from tiny import tiny_model

from temporal_adapters.engines.model import Base, LoraShape
from temporal_adapters.engines.model.fp8 import quantize_fp8
from temporal_adapters.stages.tokens import pack
from temporal_adapters.stages.train import Job, fit

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine"),
]
SIZES = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 8}
PLAN = {"shape": LoraShape(8, 16, targets="all-linear"), "steps": 5, "learning_rate": 2e-3}


def base_on(device: str, dtype: torch.dtype, prepare=lambda model: None) -> Base:
    model = tiny_model(**SIZES).to(device, dtype)
    prepare(model)
    return Base(model, None, "tiny", "digest", torch.device(device), dtype)


def direction(start, end) -> torch.Tensor:
    """Where training moved the weights, as one vector."""
    return torch.cat([(end.modules[n].b - start.modules[n].b).flatten() for n in start.modules])


def cosine(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(first, second, dim=0))


def trained(base: Base, **changes):
    return next(fit(base, [job()], recipe(**{**PLAN, **changes})))


def test_float32_on_a_gpu_trains_the_adapter_of_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    here, there = trained(base_on("cpu", torch.float32)), trained(base_on("cuda", torch.float32))
    assert there.losses == pytest.approx(here.losses, abs=1e-4)
    for name, lora in here.adapter.modules.items():
        torch.testing.assert_close(there.adapter.modules[name].b, lora.b, atol=1e-4, rtol=0)


def test_a_base_in_bfloat16_trains_nearly_what_float32_does():
    whole, half = trained(base_on("cuda", torch.float32)), trained(base_on("cuda", torch.bfloat16))
    assert half.losses == pytest.approx(whole.losses, abs=3e-2)
    start = trained(base_on("cuda", torch.float32), learning_rate=1e-30).adapter
    assert cosine(direction(start, whole.adapter), direction(start, half.adapter)) > 0.95
    assert all(lora.a.dtype == torch.float32 for lora in half.adapter.modules.values())


@pytest.mark.parametrize("attention", ["document", "chunk"])
def test_two_runs_on_a_gpu_give_the_same_bits(attention):
    base = base_on("cuda", torch.bfloat16)
    first, again = (trained(base, attention=attention) for _ in range(2))
    assert same_bits(first.adapter, again.adapter)
    assert first.losses == again.losses


def test_on_a_gpu_too_an_adapter_does_not_depend_on_its_neighbours():
    base, plan = base_on("cuda", torch.float32), recipe(**PLAN)
    jobs = [job(number, 30 + 10 * number) for number in range(3)]
    for task, done in zip(jobs, fit(base, jobs, plan, together=3), strict=True):
        assert same_bits(next(fit(base, [task], plan)).adapter, done.adapter)


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 9),
    reason="this GPU does not multiply 8-bit floats",
)
def test_the_gradient_through_an_8_bit_base_points_where_the_bfloat16_one_does():
    task, plan = Job("j", pack(documents(40), 64), 1, "j"), recipe(**{**PLAN, "steps": 1, "max_grad_norm": None})
    ends = [next(fit(base_on("cuda", torch.bfloat16, how), [task], plan)) for how in (lambda m: None, quantize_fp8)]
    assert ends[0].losses == pytest.approx(ends[1].losses, abs=5e-2)
    dense = torch.cat([lora.b.flatten() for lora in ends[0].adapter.modules.values()])
    small = torch.cat([lora.b.flatten() for lora in ends[1].adapter.modules.values()])
    # After one step of AdamW a weight has moved by the sign of its gradient: signs must mostly agree.
    assert (dense.sign() == small.sign()).float().mean() > 0.85
