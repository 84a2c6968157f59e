// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What `local_disk` and `remote_url` mean as second tiers.
struct SecondTierAdapters {
    let values: [String: JSONValue]
    /// Picks one of several directories.
    let rank: Int

    /// `--l2-adapter` texts.
    func texts() throws(InProcessConfigurationError) -> [String] {
        var adapters: [JSONValue] = []
        if let disk = try self.disk() { adapters.append(disk) }
        if case .string(let url)? = self.values["remote_url"] { adapters.append(try self.remote(url)) }
        return adapters.map { $0.serialized() }
    }

    private func disk() throws(InProcessConfigurationError) -> JSONValue? {
        guard case .array(let list)? = self.values["local_disk"] else { return nil }
        let paths = list.compactMap { value -> String? in
            guard case .string(let text) = value else { return nil }
            let path = text.hasPrefix("file://") ? String(text.dropFirst(7)) : text
            return path.isEmpty ? nil : path
        }
        guard !paths.isEmpty else { return nil }
        guard case .double(let size)? = self.values["max_local_disk_size"], size > 0 else {
            throw InProcessConfigurationError(
                "'local_disk' is set and 'max_local_disk_size' is not: accepted is a number of GiB above 0")
        }
        return .object([
            ("type", "fs"), ("base_path", .string(self.own(paths[self.rank % paths.count]))),
            ("max_capacity_gb", .double(size)),
            ("eviction", .object([("eviction_policy", "LRU")])),
        ])
    }

    /// The directory of this rank: all ranks ask for the same keys, each for its own part of the KV cache.
    private func own(_ path: String) -> String {
        guard self.rank > 0 else { return path }
        return path.hasSuffix("/") ? "\(path)rank_\(self.rank)" : "\(path)/rank_\(self.rank)"
    }

    private func remote(_ url: String) throws(InProcessConfigurationError) -> JSONValue {
        let accepted = "redis://[USER:PASSWORD@]HOST[:PORT], s3://BUCKET.HOST or fs:///PATH"
        let parts = RemoteURL(url)
        let isShared = parts?.scheme != "fs" && parts?.scheme != "file"
        guard self.rank == 0 || !isShared else {
            throw InProcessConfigurationError(
                "'remote_url' of a shared store is not supported with several workers: the keys of rank \(self.rank) are "
                    + "those of rank 0; use local_disk, or fs://")
        }
        switch parts?.scheme {
        case "redis", "valkey": return try self.redis(parts, url, accepted: accepted)
        case "s3": return try self.s3(parts, url, accepted: accepted)
        case "fs", "file":
            guard let path = parts?.path, path.utf8.count > 1 else { throw Self.refusal(url, accepted) }
            return .object([("type", "fs"), ("base_path", .string(self.own(path)))])
        case "lm", "infinistore", "mooncakestore", "blackhole", "rediss", "redis-sentinel", "hf3fs",
            "sagemaker-hyperpod",
            "plugin", "external", "audit", "mock":
            throw InProcessConfigurationError(
                "'remote_url' with \(parts?.scheme ?? ""):// is not supported; accepted is \(accepted)")
        default: throw Self.refusal(url, accepted)
        }
    }

    private func redis(
        _ parts: RemoteURL?, _ url: String, accepted: String
    ) throws(InProcessConfigurationError) -> JSONValue {
        guard let parts, !parts.host.isEmpty, parts.path.isEmpty || parts.path == "/" else {
            throw Self.refusal(url, accepted)
        }
        var members: [(String, JSONValue)] = [
            ("type", "resp"), ("host", .string(parts.host)), ("port", .integer(parts.port ?? 6379)),
        ]
        if let user = parts.user, !user.isEmpty { members.append(("username", .string(user))) }
        if let password = parts.password { members.append(("password", .string(password))) }
        return .object(members)
    }

    private func s3(
        _ parts: RemoteURL?, _ url: String, accepted: String
    ) throws(InProcessConfigurationError) -> JSONValue {
        guard let parts, !parts.host.isEmpty, parts.path.isEmpty || parts.path == "/" else {
            throw Self.refusal(url, accepted)
        }
        let extra = self.values["extra_config"] ?? .null
        guard case .string(let region)? = extra["s3_region"] else {
            throw InProcessConfigurationError("'remote_url' is s3:// and 'extra_config' has no text 's3_region'")
        }
        var members: [(String, JSONValue)] = [
            ("type", "s3"), ("s3_endpoint", .string(parts.port.map { "\(parts.host):\($0)" } ?? parts.host)),
            ("s3_region", .string(region)),
        ]
        for name in ["s3_num_io_threads", "disable_tls", "aws_access_key_id", "aws_secret_access_key"] {
            if let value = extra[name], value != .null { members.append((name, value)) }
        }
        return .object(members)
    }

    private static func refusal(_ url: String, _ accepted: String) -> InProcessConfigurationError {
        // Passwords stay out of logs.
        let shown = url.split(separator: "@").last.map(String.init) ?? url
        return InProcessConfigurationError(
            "'remote_url' is \(JSONValue.string(shown).serialized()), accepted is \(accepted)")
    }
}
