"""The table of scripts/test-glibc: FOLDER SUITE..., from FOLDER/SUITE/{plain,kev}.json.

Exit status 1 if anything was lost, hung or failed under the shim that was not expected to.
"""
import json
import pathlib
import sys


def figures(path: pathlib.Path) -> dict:
    report = json.loads(path.read_text(encoding="utf-8"))
    results = report["results"]
    # A connect() that was interrupted goes on by itself, and is told as information.
    races = [r["figures"] for r in results if r.get("property") == "race" and r.get("figures") and r["outcome"] != "info"]
    return {
        "libc": report["run"]["c_library"],
        "cases": len(results),
        "failed": report["totals"]["required_failures"],
        "hung": sum(r["outcome"] == "hang" and not r["expected"] for r in results) + sum(f.get("hung", 0) for f in races),
        "rounds": sum(f.get("rounds", 0) for f in races),
        "lost": sum(f.get("lost", 0) for f in races),
        "names": [r["name"] for r in results if r["outcome"] in ("fail", "hang") and not r["expected"]],
    }


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    bad = []
    print(f"{'':14}|{'plain':^46}|{'under the shim':^46}")
    row = "{:>9} {:>9} {:>9} {:>7} {:>7} "
    heads = row.format("rounds", "lost", "failed", "hung", "cases")
    print(f"{'C library':14}|{heads:>46}|{heads:>46}")
    for suite in sys.argv[2:]:
        sides = {side: figures(folder / suite / f"{side}.json") for side in ("plain", "kev")}
        cells = [row.format(s["rounds"], s["lost"], s["failed"], s["hung"], s["cases"]) for s in sides.values()]
        print(f"{sides['kev']['libc']:14}|{cells[0]:>46}|{cells[1]:>46}")
        kev = sides["kev"]
        if kev["lost"] or kev["hung"] or kev["failed"]:
            bad.append(f"{suite}: {' '.join(kev['names'])}")
    for line in bad:
        print("under the shim:", line)
    sys.exit(bool(bad))


main()
