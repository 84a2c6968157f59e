// lmcache · SPDX-License-Identifier: Apache-2.0

/// One of the two servers and how to start it.
struct ServerProgram {
    let name: String
    let path: String
    /// Pool of the measured server; equal for both.
    let poolGigabytes = 1
    /// Pool of the servers whose start is timed.
    let startPoolGigabytes: Int

    static func ours(_ path: String) -> Self { Self(name: "ours", path: path, startPoolGigabytes: 20) }

    /// LMCache 0.5.6 fills its whole pool with pages before it serves, so its start is timed with 1 GB, in its favour.
    static func original(_ path: String) -> Self { Self(name: "LMCache 0.5.6", path: path, startPoolGigabytes: 1) }

    private init(name: String, path: String, startPoolGigabytes: Int) {
        self.name = name
        self.path = path
        self.startPoolGigabytes = startPoolGigabytes
    }

    /// The same arguments for both servers.
    func arguments(ports: ServerPorts, poolGigabytes: Int, poolName: String) -> [String] {
        [
            self.path, "server", "--host", LoopbackSocket.host, "--port", "\(ports.request)",
            "--http-port", "\(ports.http)", "--l1-size-gb", "\(poolGigabytes)", "--eviction-policy", "LRU",
            "--chunk-size", "\(Workload.chunkSize)", "--supported-transfer-mode", "auto", "--shm-name", poolName,
        ]
    }
}

/// Where a server listens.
struct ServerPorts {
    let request: UInt16
    let http: UInt16
}
