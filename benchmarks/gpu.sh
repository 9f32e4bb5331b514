#!/usr/bin/env bash
# What only a GPU can show, in one command of under nine minutes: the tests marked `gpu`, then training and asking at the
# published sizes beside PEFT. One JSON comes out: build/gpu/gpu.json (or $OUT/gpu.json). Nothing is fetched.
#
#   benchmarks/gpu.sh          on a machine with one H100 or H200 and this package's requirements
#   benchmarks/gpu.sh --dry    every line with tiny shapes on a CPU
set -uo pipefail
cd "$(dirname "$0")/.."
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
python=${PYTHON:-python3} out=${OUT:-build/gpu} dry=() budget=400
[ "${1:-}" = --dry ] && dry=(--dry)
mkdir -p "$out"

missing=$("$python" - <<'EOF'
import importlib.util
needed = "torch transformers peft pydantic polars safetensors ruamel pytest typer".split()
print(" ".join(name for name in needed if importlib.util.find_spec(name) is None))
EOF
) || { echo "gpu.sh: $python does not start: set PYTHON" >&2; exit 2; }
[ -z "$missing" ] || { echo "gpu.sh: $python lacks $missing: pip install -e '.[dev]' (torch with CUDA)" >&2; exit 2; }

tests=0
if [ ${#dry[@]} -gt 0 ]; then
    "$python" -m pytest -q -m gpu -p no:cacheprovider tests/test_gpu.py >"$out/tests.txt" 2>&1 || tests=$?
else
    timeout 120 "$python" -m pytest -q -m gpu -p no:cacheprovider tests/test_gpu.py >"$out/tests.txt" 2>&1 || tests=$?
fi
tail -3 "$out/tests.txt"

rows=0
timeout $((budget + 20)) "$python" benchmarks/gpu.py --budget "$budget" --out "$out/gpu.json" "${dry[@]}" || rows=$?
echo "tests ended with $tests, rows with $rows: $out/gpu.json, $out/tests.txt"
[ "$tests" -eq 0 ] && [ "$rows" -eq 0 ]
