#!/usr/bin/env python3
"""How a job behaves beside its cost at full speed: latency, partial load, start-up, memory behind a slow sink, languages.

measure.py latency   [--queries q5,q11] [--rate 50000] [--seconds 60] [--systems tidemill,flink,timely]
measure.py load      [--queries q0,q5,..] [--rate 500000] [--rounds 3]
measure.py startup   [--queries q1,q5] [--rounds 10]
measure.py slow-sink [--seconds 120] [--slower 100] [--limit-mib 128]
measure.py checkpoints [--queries q5,q11,timers,kv] [--rate 1000000] [--rounds 3] [--interval 1s]
measure.py recovery  [--keys 1500000] [--rounds 5]
measure.py languages [--languages rust,python,ts,go,c] [--records 1000000] [--rounds 5]

All but the last run `dist/tidemill` with `dist/guests/rust/nexmark.wasm` over events that the tool makes itself and keeps under
$PEERS_WORK (default ~/.cache/tidemill-peers); the last runs `dist/guests/*/matrix.wasm` and prints a table. With --out FILE every figure is appended as a line of JSON. Peers are found by $TIDEMILL_PEERS.
"""
import argparse, glob, json, os, re, shutil, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.environ.get("PEERS_WORK", os.path.expanduser("~/.cache/tidemill-peers"))
PEERS = os.environ.get("TIDEMILL_PEERS")
BINARY, GUEST = f"{ROOT}/dist/tidemill", f"{ROOT}/dist/guests/rust/nexmark.wasm"
KV = f"{ROOT}/dist/guests/test/kv.wasm"
SHAPES_GUEST = f"{ROOT}/dist/guests/test/shapes.wasm"
BASE_MS = 1_436_918_400_000       # the time of the first event
OUT_OF_ORDER_MS = 4_000           # what the queries allow
SETTLE_S = 10                     # results of the first seconds are left out: empty tables, first page faults


def events(count, rate):
    """A file of events, `rate` of them to a second of event time."""
    os.makedirs(f"{WORK}/data", exist_ok=True)
    path = f"{WORK}/data/nexmark-{count}-{rate}.json"
    if not os.path.exists(path):
        subprocess.run([BINARY, "datagen", "nexmark", "--events", str(count), "--rate", str(rate), "--seed", "7", "--out", path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


def parts(path):
    """The same events in two files, line i in file i % 2, as the peers read them: one file a worker."""
    names = [f"{path}.p{i}" for i in (0, 1)]
    if not all(map(os.path.exists, names)):
        with open(path, "rb") as lines, open(names[0] + ".new", "wb") as even, open(names[1], "wb") as odd:
            for i, line in enumerate(lines):
                (odd if i % 2 else even).write(line)
        os.rename(names[0] + ".new", names[0])
    return names


def command(query, source, sink, parallelism, *extra):
    return [BINARY, "run", GUEST, "--arg", f"query={query}", "--bind", f"events={source}", "--bind", f"results={sink}",
            "--parallelism", str(parallelism), *extra]


def keep(args, row):
    print(json.dumps(row), flush=True)
    if args.out:
        with open(args.out, "a") as file:
            file.write(json.dumps(row) + "\n")


def percentile(values, share):
    """The value that this share of all values does not pass."""
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


# ---------------------------------------------------------------------------------------------------------- latency

def closing_ms(query, line):
    """The event time at which the result of this line is known: the watermark passes it with the first event of that time."""
    cells = line.split(",")
    end = int(cells[0] if query == "q5" else cells[3])
    return end + OUT_OF_ORDER_MS


def due_times(path, closings, rate):
    """For each closing time the second at which the first event of at least that time is due. A tenth of the events come
    late, so that this is earlier than the event time itself would say."""
    left, due = sorted(closings, reverse=True), {}
    time_of = re.compile(rb'"dateTime":(\d+)')
    with open(path, "rb") as lines:
        for i, line in enumerate(lines):
            event = int(time_of.search(line)[1])
            while left and event >= left[-1]:
                due[left.pop()] = i / rate
            if not left:
                break
    return due


def tidemill_results(query, path, rate, parallelism):
    """(closing, seconds from the first record to the line) of every result line, as it comes out of standard output."""
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/report"
        job = subprocess.Popen(command(query, f"file:{path}?rate={rate}", "stdout:", parallelism, "--report-file", report), stdout=subprocess.PIPE)
        seen, rest = [], b""
        while chunk := os.read(job.stdout.fileno(), 1 << 16):
            at = time.time()
            *lines, rest = (rest + chunk).split(b"\n")
            seen += [(closing_ms(query, line.decode()), at) for line in lines]
        if job.wait() != 0:
            sys.exit(f"tidemill {query} failed")
        start = json.load(open(report))["first_record_unix_us"] / 1e6
        return [(closing, at - start) for closing, at in seen]


def peer_results(system, query, path, rate, parallelism, extra):
    """The same of a peer, which notes in its sink how long after the nominal time of the closing event each line came."""
    out = f"{WORK}/out/latency-{system}"
    files = ",".join(parts(path))
    script = {"flink": ["run_flink.sh", query, files, out, "--ckpt", "none", "--par", str(parallelism), "--rate", str(rate), *extra],
              "timely": ["run_timely.sh", query, files, out, str(parallelism), str(rate), "simd"]}[system]
    subprocess.run(["bash", f"{PEERS}/{script[0]}", *script[1:]], check=True, capture_output=True, timeout=600)
    rows = [line.split() for name in glob.glob(f"{out}/latency.*") for line in open(name)]
    return [(int(closing), int(ns) / 1e9 + (int(closing) - BASE_MS) / 1e3) for closing, ns in rows]


def latency(args):
    path = events(args.rate * args.seconds, args.rate)
    end = BASE_MS + args.seconds * 1000
    for query in args.queries.split(","):
        for system in args.systems.split(","):
            name, *extra = system.split("+")
            if name != "tidemill" and not PEERS:
                continue
            tuned = ["--buftimeout", "5", "--wm", "10"] if "tuned" in extra else []
            found = tidemill_results(query, path, args.rate, args.parallelism) if name == "tidemill" else \
                peer_results(name, query, path, args.rate, args.parallelism, tuned)
            # What the end of the input closes waited for no event.
            found = [(closing, at) for closing, at in found if BASE_MS + SETTLE_S * 1000 <= closing < end - 1000]
            due = due_times(path, {closing for closing, _ in found}, args.rate)
            ms = [(at - due[closing]) * 1e3 for closing, at in found]
            keep(args, {"measure": "latency", "system": system, "query": query, "rate": args.rate, "results": len(ms),
                        "closings": len(due), "p50_ms": round(percentile(ms, 0.5), 1), "p99_ms": round(percentile(ms, 0.99), 1), "max_ms": round(max(ms), 1)})


# ----------------------------------------------------------------------------------------------------- partial load

def run_report(query, source, parallelism):
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/report"
        subprocess.run(command(query, source, f"file:{folder}/out", parallelism, "--report", "json", "--report-file", report), check=True, capture_output=True)
        return json.load(open(report))


def load(args):
    path = events(args.rate * args.seconds, 10_000)
    for query in args.queries.split(","):
        cost = {"full": [], "partial": []}
        for _ in range(args.rounds):
            for speed, url in (("full", f"file:{path}"), ("partial", f"file:{path}?rate={args.rate}")):
                cost[speed].append(run_report(query, url, args.parallelism)["steady_cpu_us_per_ev"])
        full, partial = (statistics.median(cost[speed]) for speed in ("full", "partial"))
        keep(args, {"measure": "load", "query": query, "rate": args.rate, "full_us_per_event": full, "partial_us_per_event": partial, "ratio": round(partial / full, 2)})


# ---------------------------------------------------------------------------------------------------------- startup

def first_byte(job):
    """Seconds from the start of the process to the first byte of its output, and its peak memory in MiB at the end."""
    begun = time.monotonic()
    process = subprocess.Popen(job, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.read(process.stdout.fileno(), 1)
    first = time.monotonic() - begun
    while os.read(process.stdout.fileno(), 1 << 20):
        pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"{job} failed")
    return first, usage.ru_maxrss / 1024


def startup(args):
    path = events(100_000, 1_000)
    for query in args.queries.split(","):
        job = command(query, f"file:{path}", "stdout:", args.parallelism)
        first_byte(job)                              # whatever ran before, the compiled component is in the cache now
        runs = [first_byte(job) for _ in range(args.rounds)]
        with tempfile.TemporaryDirectory() as cache:
            cold = timed_cold(job, cache)
        keep(args, {"measure": "startup", "query": query, "rounds": args.rounds, "first_output_ms": round(statistics.median(r[0] for r in runs) * 1e3, 1),
                    "peak_mib": round(statistics.median(r[1] for r in runs)), "first_output_uncached_ms": round(cold * 1e3)})


def timed_cold(job, cache):
    """The same with an empty cache: the component is compiled first."""
    os.environ["XDG_CACHE_HOME"], before = cache, os.environ.get("XDG_CACHE_HOME")
    try:
        return first_byte(job)[0]
    finally:
        del os.environ["XDG_CACHE_HOME"]
        if before:
            os.environ["XDG_CACHE_HOME"] = before


# -------------------------------------------------------------------------------------------------------- slow sink

def resident_mib(pid, what="VmRSS"):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0


def slow_sink(args):
    path = events(args.events, 10_000)
    job = command("q0", f"file:{path}", "stdout:", args.parallelism)
    begun, total = time.monotonic(), 0
    fast = subprocess.Popen(job, stdout=subprocess.PIPE)
    while chunk := os.read(fast.stdout.fileno(), 1 << 16):
        total += len(chunk)
    full_rate = total / (time.monotonic() - begun)
    if fast.wait() != 0:
        sys.exit("q0 failed")
    rate, peaks = full_rate / args.slower, {}
    slow = subprocess.Popen(job, stdout=subprocess.PIPE)
    begun, taken = time.monotonic(), 0
    while (now := time.monotonic() - begun) < args.seconds:
        if taken > rate * now:
            time.sleep(min(0.05, (taken - rate * now) / rate))
            continue
        chunk = os.read(slow.stdout.fileno(), 1 << 12)
        if not chunk:
            sys.exit("the input ended before the time was over: give more --events")
        taken += len(chunk)
        if int(now) not in peaks:
            peaks[int(now)] = resident_mib(slow.pid)
    peak = resident_mib(slow.pid, "VmHWM")
    slow.stdout.close()
    slow.wait()
    after = lambda second: round(max(mib for at, mib in peaks.items() if at <= second))
    keep(args, {"measure": "slow-sink", "seconds": args.seconds, "source_mb_per_s": round(full_rate / 1e6, 1), "sink_mb_per_s": round(rate / 1e6, 2),
                "mib_after_10_s": after(10), "mib_after_half": after(args.seconds / 2), "peak_mib": round(peak), "limit_mib": args.limit_mib})
    if peak > args.limit_mib:
        sys.exit(f"the peak of {peak:.0f} MiB is over the limit of {args.limit_mib} MiB")


# ------------------------------------------------------------------------------------------------------ checkpoints

def kv_events(keys, count):
    """Updates of so many keys in turn, in the order of a full cycle over all of them."""
    path = f"{WORK}/data/kv-{keys}-{count}.json"
    os.makedirs(f"{WORK}/data", exist_ok=True)
    if not os.path.exists(path):
        with open(path + ".new", "w") as lines:
            for i in range(count):
                lines.write('{"key":%d,"value":%d}\n' % (i * 7919 % keys, i * 31 % 499))
        os.rename(path + ".new", path)
    return path


def kept_command(query, path, rate, folder, parallelism, *extra):
    pace = f"?rate={rate}" if rate else ""
    if query == "kv":
        return [BINARY, "run", KV, "--bind", f"updates=file:{path}{pace}", "--bind", f"results=file:{folder}/out", "--parallelism", str(parallelism), *extra]
    return command(query, f"file:{path}{pace}", f"file:{folder}/out", parallelism, *extra)


def kept_checkpoints(folder):
    """What `checkpoint ls` says of a directory, from old to new."""
    listed = subprocess.run([BINARY, "checkpoint", "ls", folder, "--json"], check=True, capture_output=True, text=True).stdout
    return [checkpoint for checkpoint in json.loads(listed) if checkpoint["ok"]]


def written_by_each(folder):
    """For each checkpoint that is kept: bytes of the parts that it wrote itself and their rows. A row is a key that has changed or gone since the
    one before, or one that a merge of layers wrote again."""
    written = []
    for checkpoint in kept_checkpoints(folder):
        if checkpoint["finished"]:
            continue  # at the end of the input all may be gone
        shown = subprocess.run([BINARY, "checkpoint", "show", folder, str(checkpoint["id"]), "--json"], check=True, capture_output=True, text=True).stdout
        shown = json.loads(shown)
        parts = [part for operator in shown["operators"] for layer in operator["layers"] for part in layer]
        own = [part for part in parts if part["name"].rsplit("-", 1)[0] == f"g{shown['generation']}-c{shown['id']}"]
        written.append((sum(part["bytes"] for part in own), sum(part["rows"] for part in own)))
    return written


def checkpoints(args):
    """The cost of checkpoints: the same job at the same pace with and without, interleaved; Flink with both of its backends at full speed."""
    for query in args.queries.split(","):
        path = kv_events(args.keys, args.events) if query == "kv" else events(args.events, 10_000)
        rows = {}
        for _ in range(args.rounds):
            for name in ("none", args.interval):
                with tempfile.TemporaryDirectory() as folder:
                    keeping = [] if name == "none" else ["--checkpoint-dir", f"{folder}/kept", "--checkpoint-interval", name]
                    job = kept_command(query, path, args.rate, folder, args.parallelism, "--report", "json", "--report-file", f"{folder}/report", *keeping)
                    subprocess.run(job, check=True, capture_output=True)
                    report = json.load(open(f"{folder}/report"))
                    written = sum(os.path.getsize(f) for f in glob.glob(f"{folder}/kept/parts/**", recursive=True) if os.path.isfile(f))
                    rows.setdefault(name, []).append((report["cpu_us_per_event"], report["checkpoint_pause_us"], written))
        cost = {name: statistics.median(row[0] for row in of) for name, of in rows.items()}
        pauses = [row[1] for row in rows[args.interval]]
        with tempfile.TemporaryDirectory() as folder:
            # Once more, and every checkpoint is kept to be looked at, which costs and is therefore not timed.
            keeping = ["--checkpoint-dir", f"{folder}/kept", "--checkpoint-interval", args.interval, "--checkpoint-retain", "1000"]
            subprocess.run(kept_command(query, path, args.rate, folder, args.parallelism, *keeping), check=True, capture_output=True)
            each = written_by_each(f"{folder}/kept")
        keep(args, {"measure": "checkpoints", "query": query, "rate": args.rate, "interval": args.interval, "none_us_per_event": cost["none"],
                    "kept_us_per_event": cost[args.interval], "ratio": round(cost[args.interval] / cost["none"], 2),
                    "pause_p99_us": statistics.median(p["p99"] for p in pauses), "pause_max_us": max(p["max"] for p in pauses),
                    "parts_kept_mib": round(statistics.median(row[2] for row in rows[args.interval]) / 2**20, 1), "checkpoints": len(each),
                    "mib_per_checkpoint": round(statistics.median(row[0] for row in each) / 2**20, 2) if each else None,
                    "keys_per_checkpoint": statistics.median(row[1] for row in each) if each else None,
                    "bytes_per_changed_key": round(sum(row[0] for row in each) / max(sum(row[1] for row in each), 1), 1)})
        if PEERS:
            flink_checkpoints(args, query)


def flink_checkpoints(args, query):
    files = ",".join(glob.glob(f"{WORK}/data/{'kv4m' if query == 'kv' else 'bench5m'}.json.p*"))
    for backend in ("none", "hashmap", "rocksdb"):
        runs = []
        for _ in range(args.rounds):
            run = ["bash", f"{PEERS}/run_flink.sh", query, files, f"{WORK}/out/flink-kept", "--ckpt", backend, "--par", str(args.parallelism)]
            done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=900)
            runs.append(json.loads(done.stdout.strip().splitlines()[-1])["steady_cpu_us_per_ev"])
        keep(args, {"measure": "checkpoints", "system": "flink", "query": query, "backend": backend, "us_per_event": statistics.median(runs)})


def recovery(args):
    """How long a killed job takes from its start to the first record it reads again, with all of its state."""
    path, times, sizes = kv_events(args.keys, args.keys * 2), [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            keeping = ["--checkpoint-dir", f"{folder}/kept", "--checkpoint-interval", "200ms"]
            job = subprocess.Popen(kept_command("kv", path, args.keys // 4, folder, args.parallelism, *keeping, "--name", "kv"), stderr=subprocess.DEVNULL)
            time.sleep(6)
            job.kill()
            job.wait()
            # The runner ends by itself when its supervisor is gone.
            sizes.append(kept_checkpoints(f"{folder}/kept")[-1]["bytes"] / 2**20)
            begun = time.time()
            again = kept_command("kv", path, 0, folder, args.parallelism, *keeping, "--name", "kv", "--report", "json", "--report-file", f"{folder}/report")
            subprocess.run(again, check=True, stderr=subprocess.DEVNULL)
            times.append(json.load(open(f"{folder}/report"))["first_record_unix_us"] / 1e6 - begun)
    keep(args, {"measure": "recovery", "keys": args.keys, "rounds": args.rounds, "p50_ms": round(statistics.median(times) * 1e3), "max_ms": round(max(times) * 1e3),
                "checkpoint_mib": round(statistics.median(sizes), 1)})


# ----------------------------------------------------------------------------------------------------------- shapes

SHAPES = [  # name, keys, arguments
    ("tumbling 10 s", 1_000, ("shape=tumbling", "size-ms=10000")),
    ("sliding 10 s / 1 s", 1_000, ("shape=sliding", "size-ms=10000", "slide-ms=1000")),
    ("sliding 60 s / 1 s", 1_000, ("shape=sliding", "size-ms=60000", "slide-ms=1000")),
    ("session 1 s", 1_000_000, ("shape=session", "size-ms=1000")),
    ("session 200 s, all open", 1_000_000, ("shape=session", "size-ms=200000")),
    ("interval join +-100 ms", 1_000, ("shape=interval", "size-ms=100")),
]


def shape_events(keys, count):
    """Updates of so many keys, ten a millisecond."""
    path = f"{WORK}/data/shapes-{keys}-{count}.json"
    os.makedirs(f"{WORK}/data", exist_ok=True)
    if not os.path.exists(path):
        with open(path + ".new", "w") as lines:
            for i in range(count):
                lines.write('{"key":%d,"at":%d}\n' % (i * 7919 % keys, i // 10))
        os.rename(path + ".new", path)
    return path


def shapes(args):
    """CPU time and memory of windows of many shapes and of an interval join, with the lines that they give."""
    for name, keys, given in SHAPES:
        path, rows = shape_events(keys, args.events), []
        for _ in range(args.rounds):
            with tempfile.TemporaryDirectory() as folder:
                job = [BINARY, "run", SHAPES_GUEST, "--bind", f"updates=file:{path}", "--bind", f"results=file:{folder}/out", "--parallelism", str(args.parallelism)]
                job += [word for one in given for word in ("--arg", one)]
                subprocess.run([*job, "--report", "json", "--report-file", f"{folder}/report"], check=True, capture_output=True)
                report = json.load(open(f"{folder}/report"))
                results = sum(operator["records_in"] for operator in report["operators"] if operator["name"] == "results")
                rows.append((report["cpu_us_per_event"], report["peak_rss_mib"], results))
        keep(args, {"measure": "shapes", "shape": name, "keys": keys, "events": args.events, "us_per_event": statistics.median(row[0] for row in rows),
                    "peak_mib": statistics.median(row[1] for row in rows), "results": rows[0][2]})


# -------------------------------------------------------------------------------------------------------- languages

def spent(job, cache):
    """Wall-clock and processor seconds of a command with this cache of components, and its peak memory in MiB."""
    begun = time.monotonic()
    process = subprocess.Popen(job, stdout=subprocess.DEVNULL, env={**os.environ, "XDG_CACHE_HOME": cache})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"{' '.join(job)} failed")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def matrix_job(language, case, records, keys, parallelism, *extra):
    """A case of tests/matrix over random rows, whose results go nowhere."""
    rows = f"rows=datagen:rows?seed=1&keys={keys}&count={records}"
    return [BINARY, "run", f"{ROOT}/dist/guests/{language}/matrix.wasm", "--arg", f"case={case}", "--bind", rows, "--bind", "out=discard:",
            "--parallelism", str(parallelism), *extra]


def in_function(language, case, args, cache):
    """Nanoseconds a record between entering and leaving the component, for the operator that the case is about."""
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/report"
        spent(matrix_job(language, case, args.records, args.keys, 1, "--report", "json", "--report-file", report), cache)
        work = next(operator for operator in json.load(open(report))["operators"] if operator["name"] == "work")
        return work["guest_ns"] / work["records_in"]


def one_more(language, args, cache):
    """What each further instance costs, in ms of processor time and MiB: a worker has one each."""
    one, many = (spent(matrix_job(language, "keyed-count", 1, args.keys, workers), cache) for workers in (1, 1 + args.instances))
    return (many[1] - one[1]) * 1e3 / args.instances, (many[2] - one[2]) / args.instances


def languages(args):
    """What a user's language costs: the same two functions in each, round after round."""
    names, found = args.languages.split(","), {}
    with tempfile.TemporaryDirectory() as cache:
        for language in names:
            component = f"{ROOT}/dist/guests/{language}/matrix.wasm"
            plan = [BINARY, "plan", component, "--arg", "case=keyed-count"]
            cold = spent(plan, cache)
            found[language] = {"component_kib": round(os.path.getsize(component) / 1024), "compile_ms": round(cold[0] * 1e3),
                               "compile_cpu_ms": round(cold[1] * 1e3), "rounds": []}
        for _ in range(args.rounds):
            for language in names:
                plan = [BINARY, "plan", f"{ROOT}/dist/guests/{language}/matrix.wasm", "--arg", "case=keyed-count"]
                peak = spent(matrix_job(language, "keyed-count", args.records, args.keys, 1), cache)[2]
                found[language]["rounds"].append((spent(plan, cache)[0] * 1e3, *one_more(language, args, cache), peak,
                                                  in_function(language, "map", args, cache), in_function(language, "keyed-count", args, cache)))
    print("| language | component | compile | of it processor | cached | instance | its memory | peak memory | map | keyed count |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for language in names:
        row = found[language]
        plan, instance, instance_mib, peak, per_map, per_count = (statistics.median(figures) for figures in zip(*row["rounds"]))
        print(f"| {language} | {row['component_kib']:,} KiB | {row['compile_ms']:,} ms | {row['compile_cpu_ms']:,} ms | {plan:.0f} ms | {instance:.1f} ms "
              f"| {instance_mib:.1f} MiB | {peak:.0f} MiB | {per_map:,.0f} ns | {per_count:,.0f} ns |")
        found[language] = {"measure": "languages", "language": language, **row, "rounds": args.rounds, "records": args.records, "cached_ms": round(plan, 1),
                           "instance_ms": round(instance, 2), "instance_mib": round(instance_mib, 1), "peak_mib": round(peak), "map_ns": round(per_map, 1),
                           "keyed_count_ns": round(per_count, 1)}
    for row in found.values():
        keep(args, row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    def verb(name, run, **options):
        sub = verbs.add_parser(name)
        sub.set_defaults(run=run)
        for option, default in {**options, "parallelism": 2}.items():
            sub.add_argument("--" + option.replace("_", "-"), type=type(default), default=default)
        sub.add_argument("--out")
    verb("latency", latency, queries="q5,q11", rate=50_000, seconds=60, systems="tidemill,flink,flink+tuned,timely")
    verb("load", load, queries="q0,q1,q5,q11,wordcount", rate=500_000, seconds=10, rounds=3)
    verb("startup", startup, queries="q1,q5", rounds=10)
    verb("checkpoints", checkpoints, queries="q5,q11,timers,kv", rate=1_000_000, rounds=3, interval="1s", events=5_000_000, keys=1_000_000)
    verb("shapes", shapes, rounds=3, events=5_000_000)
    verb("recovery", recovery, keys=1_500_000, rounds=5)
    verb("languages", languages, languages="rust,python,ts,go,c", records=1_000_000, rounds=5, keys=1_000, instances=16)
    verb("slow-sink", slow_sink, seconds=120, slower=100, events=5_000_000, limit_mib=128)
    args = parser.parse_args()
    if not shutil.which(BINARY):
        sys.exit(f"{BINARY} is not there: `cargo xtask dist` makes it")
    args.run(args)


if __name__ == "__main__":
    main()
