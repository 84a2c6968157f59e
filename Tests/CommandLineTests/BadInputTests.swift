// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache

/// Every bad line ends with exit code 2 and one line that names the flag, what was given and what is accepted.
struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let line: String

        init(_ arguments: String, _ line: String) {
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.line = line
        }

        var testDescription: String { self.arguments.joined(separator: " ") }
    }

    static let unknown: [Case] = [
        Case(
            "server --l1-sise-gb 1",
            "Unknown flag '--l1-sise-gb' (did you mean '--l1-size-gb'?): accepted are the flags that"
                + " 'lmcache server --help' lists"
        ),
        Case(
            "server --prot=9",
            "Unknown flag '--prot' (did you mean '--port'?): accepted are the flags that 'lmcache server --help' lists"
        ),
        Case(
            "server --wibble-wobble",
            "Unknown flag '--wibble-wobble': accepted are the flags that 'lmcache server --help' lists"
        ),
        Case("server -x", "Unknown flag '-x': accepted are the flags that 'lmcache server --help' lists"),
        Case("server extra", "Unexpected argument 'extra' for 'lmcache server': accepted are flags only"),
        Case(
            "serv --port 1",
            "Unknown command 'lmcache serv' (did you mean 'server'?): accepted is one of 'server', 'ping', 'describe',"
                + " 'kvcache', 'bench', 'version'"
        ),
        Case("kvcache drop", "Unknown command 'lmcache kvcache drop': accepted is one of 'clear'"),
        Case("ping redis", "The value 'redis' is invalid for '<target>': accepted is one of 'kvcache' and 'engine'"),
        Case("ping", "Missing argument '<target>': accepted is kvcache or engine, or '--rpc-url'"),
        Case(
            "ping engine --rpc-url tcp://h:1",
            "The flag '--rpc-url' is given: accepted is kvcache without '--url'"
        ),
        Case("describe", "Missing argument '<target>': accepted is kvcache or engine"),
        Case("kvcache clear", "Missing value for '--url': accepted is http://HOST:PORT"),
        Case(
            "ping kvcache --format yaml",
            "The value 'yaml' is invalid for '--format <format>': accepted is one of 'terminal' and 'json'"
        ),
        Case(
            "server --eviction 1",
            "The flag '--eviction' is ambiguous: accepted is one of '--eviction-policy',"
                + " '--eviction-trigger-watermark',"
                + " '--eviction-ratio'"
        ),
        Case("server --port", "Missing value for '--port': accepted is one <n>"),
        Case("server --host --port 1", "Missing value for '--host': accepted is one <host>"),
        Case(
            "server --isolated-ipc=true",
            "The value 'true' is invalid for '--isolated-ipc': accepted is the flag without a value"
        ),
    ]

    static let values: [Case] = [
        Case("--port http", "The value 'http' is invalid for '--port <n>': accepted is an integer from 0 to 65535"),
        Case("--port 65536", "The value '65536' is invalid for '--port <n>': accepted is an integer from 0 to 65535"),
        Case("--port -1", "The value '-1' is invalid for '--port <n>': accepted is an integer from 0 to 65535"),
        Case(
            "--chunk-size 0",
            "The value '0' is invalid for '--chunk-size <n>': accepted is an integer from 1 to 1048576"
        ),
        Case(
            "--l1-size-gb much",
            "The value 'much' is invalid for '--l1-size-gb <gib>': accepted is a number above 0 and at most 65536"
        ),
        Case(
            "--l1-size-gb nan",
            "The value 'nan' is invalid for '--l1-size-gb <gib>': accepted is a number above 0 and at most 65536"
        ),
        Case(
            "--l1-size-gb 1e300",
            "The value '1e300' is invalid for '--l1-size-gb <gib>': accepted is a number above 0 and at most 65536"
        ),
        Case(
            "--eviction-ratio 1.5",
            "The value '1.5' is invalid for '--eviction-ratio <x>': accepted is a number above 0 and at most 1"
        ),
        Case(
            "--transport http",
            "The value 'http' is invalid for '--transport <transport>': accepted is one of 'zmq' and 'grpc'"
        ),
        Case(
            "--eviction-policy lru",
            "The value 'lru' is invalid for '--eviction-policy <eviction-policy>': accepted is one of 'LRU', 'ARC',"
                + " 'IsolatedLRU' or 'noop'"
        ),
        Case(
            "--bind udp://x:1",
            "The value 'udp://x:1' is invalid for '--bind <endpoint>': accepted is tcp://HOST:PORT (port 0 to 65535) or"
                + " ipc://PATH (at most 107 bytes)"
        ),
        Case(
            "--worker-reap-timeout-seconds 5",
            "The value '5.0' is invalid for '--worker-reap-timeout-seconds': accepted is 0 (never) or a number of"
                + " seconds from 30 on"
        ),
        Case(
            "--kv-event-log-size -5",
            "The value '-5' is invalid for '--kv-event-log-size <n>': accepted is an integer from 0 to 16777216"
        ),
        Case(
            "--gds-l1-backend tape",
            "The value 'tape' is invalid for '--gds-l1-backend <name>': accepted is auto, cufile, hipfile,"
                + " mufile, phx or"
                + " ugds"
        ),
    ]

    static let unbuilt: [Case] = [
        Case("--transport grpc", "The value 'grpc' is invalid for '--transport': accepted is zmq (gRPC is not built)"),
        Case(
            "--eviction-policy ARC",
            "The value 'ARC' is invalid for '--eviction-policy': accepted is LRU or noop (ARC is not built for L1)"
        ),
        Case(
            "--eviction-policy IsolatedLRU",
            "The value 'IsolatedLRU' is invalid for '--eviction-policy': accepted is LRU or noop"
                + " (IsolatedLRU is not built"
                + " for L1)"
        ),
        Case(
            "--hash-algorithm builtin",
            "The value 'builtin' is invalid for '--hash-algorithm': accepted is blake3 or sha256_cbor"
                + " (builtin is the hash"
                + " of a Python interpreter, which other programs cannot compute)"
        ),
        Case(
            "--hash-algorithm sha1",
            "The value 'sha1' is invalid for '--hash-algorithm': accepted is blake3 or sha256_cbor"
        ),
        Case(
            "--engine-type blend",
            "The value 'blend' is invalid for '--engine-type': accepted is default (CacheBlend is not built)"
        ),
        Case(
            "--l2-adapter {}",
            "The value '{}' is invalid for '--l2-adapter': accepted is the JSON object of one adapter (--l2-adapter:"
                + " 'type' is missing; accepted: fault_inject, fs, fs_native, mock, resp, s3, valkey)"
        ),
        Case(
            "--l2-adapter {",
            "The value '#1' is invalid for '--l2-adapter': accepted is the JSON object of one adapter (Expecting"
                + " property name enclosed in double quotes at byte 1)"
        ),
        Case(
            "--l2-adapter {\"type\":\"fs\",\"base_pat\":\"/x\",\"base_path\":\"/x\"}",
            "The value '{\"type\":\"fs\",\"base_pat\":\"/x\",\"base_path\":\"/x\"}' is invalid for"
                + " '--l2-adapter': accepted is the JSON object of one adapter (--l2-adapter fs: unknown key"
                + " 'base_pat' (did you mean 'base_path'?); accepted: affinity_tag, base_path, checksums, eviction,"
                + " fsync, max_capacity_gb, num_workers, persist_enabled, read_ahead_size, relative_tmp_dir, serde, shared,"
                + " type, use_odirect)"
        ),
        Case(
            "--l2-prefetch-timeout 0",
            "The value '0' is invalid for '--l2-prefetch-timeout <x>': accepted is a number above 0 and at most 240"
        ),
        Case(
            "--l1-manager {}",
            "The value '{}' is invalid for '--l1-manager': accepted is one pool by '--l1-size-gb' (several"
                + " tagged pools are"
                + " not built)"
        ),
        Case(
            "--l1-use-hugepages",
            "The value 'true' is invalid for '--l1-use-hugepages': accepted is --no-l1-use-hugepages (huge"
                + " pages are not"
                + " built)"
        ),
        Case(
            "--l1-devdax-path /dev/dax0.0",
            "The value '/dev/dax0.0' is invalid for '--l1-devdax-path': accepted is a pool in host memory"
                + " by '--l1-size-gb'"
                + " (device-DAX is not built)"
        ),
        Case(
            "--gds-l1-path /nvme",
            "The value '/nvme' is invalid for '--gds-l1-path': accepted is a pool in host memory by '--l1-size-gb'"
                + " (GPUDirect Storage is not built)"
        ),
        Case(
            "--p2p-advertise-url h:1",
            "The value 'h:1' is invalid for '--p2p-advertise-url': accepted is an empty value (peer-to-peer"
                + " sharing is not"
                + " built)"
        ),
        Case(
            "--coordinator-url http://c",
            "The value 'http://c' is invalid for '--coordinator-url': accepted is an empty value (the fleet"
                + " coordinator is"
                + " not built)"
        ),
        Case(
            "--coordinator-l2-event-reporting",
            "The value 'true' is invalid for '--coordinator-l2-event-reporting': accepted is no event"
                + " reporting (the fleet"
                + " coordinator is not built)"
        ),
        Case(
            "--otlp-endpoint http://o",
            "The value 'http://o' is invalid for '--otlp-endpoint': accepted is no endpoint (traces and"
                + " OTLP are not built;"
                + " metrics are served at /metrics)"
        ),
        Case(
            "--trace-level storage",
            "The value 'storage' is invalid for '--trace-level': accepted is no trace (trace files are not built)"
        ),
        Case(
            "--enable transfer_query",
            "The value 'transfer_query' is invalid for '--enable': accepted is no module (experimental"
                + " transfer modules are"
                + " not built)"
        ),
        Case(
            "--runtime-plugin-locations a b",
            "The value 'a' is invalid for '--runtime-plugin-locations': accepted is no location (it runs Python code)"
        ),
        Case(
            "--shm-name a/b",
            "The value 'a/b' is invalid for '--shm-name': accepted is at most 200 printable ASCII"
                + " characters without spaces"
                + " and slashes"
        ),
        Case(
            "--http-port 5555",
            "The value '5555' is invalid for '--http-port': accepted is a port other than that of '--port'"
        ),
        Case(
            "--l1-align-bytes 5000",
            "The value '5000' is invalid for '--l1-align-bytes': accepted is a power of two from 4096 to 2097152"
        ),
    ]

    @Test(arguments: Self.unknown)
    func unknownAndMissing(_ input: Case) {
        let run = CapturedRun(input.arguments)
        #expect(run.status == .usage)
        #expect(run.errorLine == input.line)
        #expect(run.output.isEmpty)
    }

    @Test(arguments: Self.values + Self.unbuilt)
    func badServerValue(_ input: Case) {
        let needed = ["server", "--l1-size-gb", "1", "--eviction-policy", "LRU"]
        let run = CapturedRun(needed + input.arguments)
        #expect(run.status == .usage)
        #expect(run.errorLine == input.line)
        #expect(run.output.isEmpty)
    }

    @Test func requiredFlagsAreAskedFor() {
        #expect(
            CapturedRun(["server"]).errorLine
                == "Missing value for '--l1-size-gb': accepted is a number above 0 and at most 65536, in"
                + " GiB, for example"
                + " '--l1-size-gb 20'"
        )
        #expect(
            CapturedRun(["server", "--l1-size-gb=2"]).errorLine
                == "Missing value for '--eviction-policy': accepted is LRU or noop, for example '--eviction-policy LRU'"
        )
    }

    @Test func environmentIsNamedWhenItIsToBlame() {
        let needed = ["server", "--l1-size-gb", "1", "--eviction-policy", "LRU"]
        let url = CapturedRun(needed, environment: ["LMCACHE_COORDINATOR_URL": "http://c"])
        #expect(url.status == .usage)
        #expect(url.errorLine?.contains("'http://c' is invalid for 'LMCACHE_COORDINATOR_URL'") == true)
        let interval = CapturedRun(needed, environment: ["LMCACHE_COORDINATOR_HEARTBEAT_INTERVAL": "soon"])
        #expect(interval.status == .usage)
        #expect(interval.errorLine?.contains("'soon' is invalid for 'LMCACHE_COORDINATOR_HEARTBEAT_INTERVAL'") == true)
    }

    @Test func hostileTextStaysOnOneLine() {
        for text in ["a\nb\u{1b}[31m", "\u{2028}", String(repeating: "x", count: 100_000)] {
            for arguments in [
                ["server", "--l1-size-gb", "1", "--eviction-policy", "LRU", "--shm-name", text],
                ["server", "--\(text)"],
                ["server", "--port", text], [text], ["ping", text],
            ] {
                let run = CapturedRun(arguments)
                #expect(run.status == .usage)
                #expect(run.errorLine != nil)
                #expect(run.error.utf8.count < 1_500)
                #expect(!run.error.contains("\u{1b}"))
            }
        }
    }
}
