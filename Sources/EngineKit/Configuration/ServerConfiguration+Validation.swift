// lmcache · SPDX-License-Identifier: Apache-2.0

extension ServerConfiguration {
    /// Throws for the first setting that cannot be used: out of range, contradictory, or known but not built.
    package func validate() throws(ConfigurationError) {
        try self.requests.validate()
        try self.storage.validate(sharedMemoryName: self.requests.sharedMemoryName)
        try SettingCheck.range("--http-port", self.http.port, SettingLimits.port)
        try SettingCheck.require(
            self.http.port == 0 || self.http.port != self.requests.port,
            "--http-port",
            given: self.http.port,
            accepted: "a port other than that of '--port'"
        )
        try self.observability.validate()
        try self.coordinator.validate()
    }
}

extension RequestServerSettings {
    func validate() throws(ConfigurationError) {
        try SettingCheck.require(
            self.transport == .zmq,
            "--transport",
            given: self.transport.rawValue,
            accepted: "zmq",
            reason: "gRPC is not built"
        )
        try SettingCheck.require(!self.host.isEmpty, "--host", given: self.host, accepted: "a host name or address")
        try SettingCheck.range("--port", self.port, SettingLimits.port)
        try SettingCheck.range("--chunk-size", self.chunkSize, SettingLimits.chunkSize)
        try SettingCheck.range("--null-block-id", self.nullBlockID, SettingLimits.nullBlockID)
        try SettingCheck.range("--max-workers", self.maxWorkers, SettingLimits.workers)
        try SettingCheck.range("--max-gpu-workers", self.maxGPUWorkers ?? 1, SettingLimits.workers)
        try SettingCheck.range("--max-cpu-workers", self.maxCPUWorkers ?? 1, SettingLimits.workers)
        try SettingCheck.range("--grpc-server-workers", self.grpcServerWorkers, SettingLimits.workers)
        try SettingCheck.range("--kv-event-log-size", self.eventLogSize, SettingLimits.eventLogSize)
        try self.validateHash()
        try self.validateSharedMemoryName()
        try self.validateTimes()
        try self.validateModules()
        try self.peerToPeer.validate()
    }

    private func validateHash() throws(ConfigurationError) {
        try SettingCheck.require(
            Self.acceptedHashAlgorithms.contains(self.hashAlgorithm),
            "--hash-algorithm",
            given: self.hashAlgorithm,
            accepted: SettingText.choice(Self.acceptedHashAlgorithms),
            reason: self.hashAlgorithm == "builtin"
                ? "builtin is the hash of a Python interpreter, which other programs cannot compute" : nil
        )
    }

    private func validateSharedMemoryName() throws(ConfigurationError) {
        let name = self.sharedMemoryName
        try SettingCheck.require(
            name.utf8.count <= 200 && name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") },
            "--shm-name",
            given: name,
            accepted: "at most 200 printable ASCII characters without spaces and slashes"
        )
        try SettingCheck.require(
            name.isEmpty || !self.isIsolatedIPC,
            "--shm-name",
            given: name,
            accepted: "an empty name together with '--isolated-ipc'"
        )
    }

    private func validateTimes() throws(ConfigurationError) {
        let reap = self.workerReapTimeoutSeconds
        let shortest = SettingLimits.shortestReapSeconds
        try SettingCheck.require(
            reap == 0 || (reap.isFinite && reap >= shortest && reap <= SettingLimits.seconds.upperBound),
            "--worker-reap-timeout-seconds",
            given: reap,
            accepted: "0 (never) or a number of seconds from 30 on"
        )
        try SettingCheck.above("--session-ttl-seconds", self.sessionTTLSeconds, SettingLimits.seconds)
        let grace = self.workerRegistrationGraceSeconds
        try SettingCheck.require(
            grace.isFinite && grace >= reap && grace <= SettingLimits.seconds.upperBound,
            "--worker-registration-grace-seconds",
            given: grace,
            accepted: "a finite number of seconds not below '--worker-reap-timeout-seconds' (\(reap))"
        )
    }

    private func validateModules() throws(ConfigurationError) {
        try SettingCheck.require(
            self.engineType == .default,
            "--engine-type",
            given: self.engineType.rawValue,
            accepted: "default",
            reason: "CacheBlend is not built"
        )
        let python = "it runs Python code"
        try SettingCheck.absent(
            "--runtime-plugin-locations",
            self.pluginLocations.first,
            accepted: "no location",
            reason: python
        )
        try SettingCheck.absent("--server-module", self.serverModules.first, accepted: "no module", reason: python)
        try SettingCheck.require(
            !self.isRunScriptEnabled,
            "--run-script-api-enabled",
            given: "true",
            accepted: "--no-run-script-api-enabled",
            reason: python
        )
        try SettingCheck.absent(
            "--enable",
            self.enabledModules.first,
            accepted: "no module",
            reason: "experimental transfer modules are not built"
        )
    }
}

extension PeerToPeerSettings {
    func validate() throws(ConfigurationError) {
        let reason = "peer-to-peer sharing is not built"
        try SettingCheck.absent("--p2p-advertise-url", self.advertiseURL, accepted: "an empty value", reason: reason)
        try SettingCheck.absent("--p2p-listen-url", self.listenURL, accepted: "an empty value", reason: reason)
        try SettingCheck.above("--p2p-lookup-timeout", self.lookupTimeout, SettingLimits.seconds)
        try SettingCheck.above("--p2p-load-timeout", self.loadTimeout, SettingLimits.seconds)
    }
}
