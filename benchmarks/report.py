"""How long a large report takes and how big its page is: 150 weeks x 40 options x 3 seeds.

    python benchmarks/report.py            the goal's size, with figures in three formats
    python benchmarks/report.py --quick    the page and tables only

Equality first: every number of the correlation table on the page is the one in results.json. No baseline: nothing else
makes this page, so there is no ratio, only the goals (page in seconds, under 5 MB).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from synthetic_run import write_run, write_study  # noqa: E402

from temporal_adapters.stages import report  # noqa: E402
from temporal_adapters.stages.report import page  # noqa: E402
from temporal_adapters.stages.report.material import gather  # noqa: E402
from temporal_adapters.stages.report.option import option_views  # noqa: E402

N_WEEKS, N_OPTIONS = 150, 40
MAX_PAGE_BYTES = 5_000_000
MAX_PAGE_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no figures, page and tables only")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), quick)
    print(json.dumps(found))
    return 0 if found["equal"] and found["goals_met"] else 1


def measure(folder: Path, quick: bool) -> dict[str, Any]:
    formats = [] if quick else ["svg", "pdf", "png"]
    study = write_study(folder, report={"figures": formats}, correlate={"lags": [0], "draws": 499})
    options = tuple(f"Option {number:02d}" for number in range(N_OPTIONS))
    run = write_run(study, folder / "runs", n_weeks=N_WEEKS, options=options, gap=70)
    started = time.perf_counter()
    material = gather(study, run)
    text = page.render(material, option_views(material))
    page_seconds = time.perf_counter() - started
    started = time.perf_counter()
    manifest = report.build(study, run)
    build_seconds = time.perf_counter() - started
    equal = says_what_was_found(text, json.loads((run.lags / "results.json").read_text(encoding="utf-8")))
    size = len(text.encode())
    return {
        "equal": equal,
        "ratios": {},
        "n_weeks": N_WEEKS,
        "n_options": N_OPTIONS,
        "n_seeds": len(study.train.seeds),
        "page_seconds": round(page_seconds, 2),
        "report_seconds": round(build_seconds, 2),
        "figure_formats": formats,
        "page_bytes": size,
        "folder_bytes": sum(int(entry["bytes"]) for entry in manifest.outputs.values()),
        "goals_met": page_seconds < MAX_PAGE_SECONDS and size < MAX_PAGE_BYTES,
    }


def says_what_was_found(text: str, results: dict[str, Any]) -> bool:
    """Compare every row of the page's table with the results, number by number."""
    tested = {
        (one["option"], str(one["lag"]), str(one["r"])) for one in results["results"] if one["dynamics"] is not None
    }
    rows = re.findall(r'<tr><td>[^<]*</td><th scope="row">([^<]*)</th>(.*?)</tr>', text)
    return {(option, *re.findall(r'data-sort="([^"]*)"', cells)[:2]) for option, cells in rows} == tested


if __name__ == "__main__":
    sys.exit(main())
