#!/usr/bin/env python3
"""Tidemill beside Apache Flink and native timely: same machine, same input, same output, interleaved runs.

compare.py [--rounds 5] [--queries q0,q1,..] [--systems tidemill,flink,timely] [--parallelism 2] [--out results.jsonl]
compare.py --table results.jsonl        medians as a Markdown table

The peers are found by $TIDEMILL_PEERS, a folder with run_flink.sh and run_timely.sh whose data lies in $PEERS_WORK (default
~/.cache/tidemill-peers); bench5m.json.p0 and .p1 are 5 million Nexmark events. Each run prints CPU time per event over the
last 60 % of the input, as all three systems report it. After the first round the sorted outputs of all systems are compared.
"""
import argparse, hashlib, json, os, re, statistics, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.environ.get("PEERS_WORK", os.path.expanduser("~/.cache/tidemill-peers"))
PEERS = os.environ.get("TIDEMILL_PEERS")
QUERIES = "q0,q1,q2,q3,q4,q5,q7,q8,q11,wordcount,timers"
TIMELY_HAS = {"q0", "q1", "q5", "q7", "q11", "wordcount"}


def idle_share(seconds=0.5):
    """The share of the machine nobody uses."""
    def read():
        fields = list(map(int, open("/proc/stat").readline().split()[1:]))
        return sum(fields[:8]), fields[3] + fields[4]
    before = read(); time.sleep(seconds); after = read()
    return (after[1] - before[1]) / max(1, after[0] - before[0])


def run(system, query, parallelism, out, extra=()):
    files = [f"{WORK}/data/bench5m.json.p{i}" for i in (0, 1)]
    subprocess.run(["rm", "-rf", out], check=True)
    if system == "tidemill":
        report = out + ".report"
        command = [f"{ROOT}/dist/tidemill", "run", f"{ROOT}/dist/guests/rust/nexmark.wasm", "--arg", f"query={query}",
                   "--bind", f"events=file:{WORK}/data/bench5m.json.p*", "--bind", f"results=file:{out}",
                   "--parallelism", str(parallelism), "--report", "json", "--report-file", report, *extra]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return json.load(open(report))
    script = {"flink": ["run_flink.sh", query, ",".join(files), out, "--ckpt", "none", "--par", str(parallelism)],
              "timely": ["run_timely.sh", query, ",".join(files), out, str(parallelism), "0", "simd"]}[system]
    done = subprocess.run(["bash", f"{PEERS}/{script[0]}", *script[1:]], check=True, capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout.strip().splitlines()[-1])


def digest(out):
    """SHA-256 of the sorted lines of all parts."""
    names = sorted(f"{folder}/{name}" for folder, _, files in os.walk(out) for name in files
                   if re.match(r"part[.-]", name) or name.startswith("part"))
    sort = subprocess.Popen(["sort", "-S", "1G", *names], stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
    hashed = hashlib.sha256()
    for block in iter(lambda: sort.stdout.read(1 << 20), b""):
        hashed.update(block)
    assert sort.wait() == 0, f"sorting {out} failed"
    return hashed.hexdigest()


def measure(args):
    systems = [s for s in args.systems.split(",") if s == "tidemill" or PEERS]
    if not PEERS:
        print("TIDEMILL_PEERS is not set: only tidemill is measured", file=sys.stderr)
    for round_ in range(args.rounds):
        for query in args.queries.split(","):
            digests = {}
            for system in systems:
                if system == "timely" and query not in TIMELY_HAS:
                    continue
                deadline = time.time() + args.patience
                while time.time() < deadline and idle_share() < 0.8:
                    pass
                out = f"{WORK}/out/compare-{system}"
                try:
                    result = run(system, query, args.parallelism, out)
                except (subprocess.SubprocessError, json.JSONDecodeError, IndexError) as error:
                    print(f"{system} {query}: {error}", file=sys.stderr)
                    continue
                keep = ("steady_cpu_us_per_ev", "steady_cpu_us_per_event", "steady_eps", "job_eps", "events_per_s", "job_s", "rss_mb", "peak_rss_mib", "wall_s", "first_output_s")
                row = {"system": system, "query": query, "round": round_, **{k: result[k] for k in keep if k in result}}
                with open(args.out, "a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
                if round_ == 0:
                    digests[system] = digest(out)
            if len(set(digests.values())) > 1:
                sys.exit(f"{query}: the outputs differ: {digests}")
            if round_ == 0:
                print(f"{query}: outputs of {', '.join(digests)} are the same bytes", flush=True)


def table(path):
    cells = {}
    for line in open(path):
        row = json.loads(line)
        cpu = row.get("steady_cpu_us_per_ev", row.get("steady_cpu_us_per_event"))
        rate = row.get("steady_eps") or row.get("job_eps") or row.get("events_per_s")
        memory = row.get("rss_mb", row.get("peak_rss_mib"))
        cells.setdefault((row["query"], row["system"]), []).append((cpu, rate, memory))
    def median(query, system, index):
        values = [c[index] for c in cells.get((query, system), []) if c[index] is not None]
        return statistics.median(values) if values else None
    print("| query | Tidemill us/event | Flink | Tidemill / Flink | timely | Tidemill / timely | Tidemill M events/s | Flink | peak MiB | Flink |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for query in QUERIES.split(","):
        ours, flink, timely = (median(query, s, 0) for s in ("tidemill", "flink", "timely"))
        if ours is None:
            continue
        show = lambda v, digits=2: "" if v is None else f"{v:.{digits}f}"
        ratio = lambda other: "" if not other else f"{ours / other:.2f}"
        rate = lambda s: show((median(query, s, 1) or 0) / 1e6)
        print(f"| {query} | {show(ours)} | {show(flink)} | {ratio(flink)} | {show(timely)} | {ratio(timely)} | {rate('tidemill')} | "
              f"{rate('flink') if flink else ''} | {show(median(query, 'tidemill', 2), 0)} | {show(median(query, 'flink', 2), 0)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", default=QUERIES)
    parser.add_argument("--systems", default="tidemill,flink,timely")
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine before each run")
    parser.add_argument("--out", default="compare.jsonl")
    parser.add_argument("--table")
    arguments = parser.parse_args()
    table(arguments.table) if arguments.table else measure(arguments)
