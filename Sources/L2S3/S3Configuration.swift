// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage
internal import Telemetry

/// The keys of `s3`.
///
/// Source: storage reference §4.7; ours are `s3_bucket`, `s3_path_style`, `s3_prefix`, `aws_session_token`,
/// `request_timeout`, `connection_timeout`, `tls_ca_file`, `tls_verify`, `checksums`, `s3_part_size_mb` and
/// `s3_multipart_threshold_mb`.
package struct S3Configuration: Sendable, Equatable {
    /// The `type` value of the configuration.
    package static let type = "s3"

    /// `http://` or `https://`, host and perhaps a port; with the bucket's name before the host unless ``bucketPath``
    /// has it.
    package var origin: String
    /// `/bucket` where the bucket stands in the path; else empty.
    package var bucketPath = ""
    package var region: String
    /// Threads, each with a connection.
    package var workers = 64
    package var prefersHTTP2 = true
    package var accessKey: String?
    package var secretKey: String?
    package var sessionToken: String?
    package var capacityBytes: Int?
    /// Whether what the bucket held before is counted: where a capacity or quotas need it.
    package var countsUsage = false
    /// Stands before every object's name, with a slash; empty for none.
    package var prefix = ""
    package var requestMilliseconds = 30_000
    package var connectMilliseconds = 5000
    package var authorityFile: String?
    package var verifiesServer = true
    /// Whether an object's CRC-32C is stored with it and compared where it is there.
    package var usesChecksums = true
    /// Objects of more bytes than this go in parts.
    package var partedBytes = 64 << 20
    /// Bytes of one part; services want at least 5 MiB of all but the last.
    package var partBytes = 16 << 20

    package init(origin: String, bucketPath: String = "", region: String) {
        self.origin = origin
        self.bucketPath = bucketPath
        self.region = region
    }

    /// - Throws: Names the key, what was given and what is accepted.
    package init(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) {
        var options = configuration.options
        let given = try Self.required("s3_endpoint", "bucket.host, or a host with s3_bucket", &options)
        let region = try Self.required("s3_region", "a region such as us-east-1", &options)
        guard region.utf8.allSatisfy(URLParts.isHostByte) else {
            throw options.refusal("s3_region", .string(region), "a region such as us-east-1")
        }
        let isPlain = try options.bool("disable_tls") ?? false
        let (scheme, host) = try Self.endpoint(given, isPlain: isPlain, options)
        let bucket = try options.string("s3_bucket") ?? ""
        guard bucket.utf8.allSatisfy(URLParts.isHostByte), !bucket.contains(":"), !bucket.contains("[") else {
            throw options.refusal("s3_bucket", .string(bucket), "a bucket's name")
        }
        let isPathStyle = try options.bool("s3_path_style") ?? false
        if isPathStyle, bucket.isEmpty {
            throw L2ConfigurationError("\(options.context): 's3_path_style' needs 's3_bucket'")
        }
        let isBucketInHost = !bucket.isEmpty && !isPathStyle
        self.init(
            origin: "\(scheme)://\(isBucketInHost ? bucket + "." : "")\(host)",
            bucketPath: isPathStyle ? "/" + bucket : "", region: region)
        try self.readService(&options)
        try self.readCredentials(&options)
        self.countsUsage = self.capacityBytes != nil || configuration.evicts
        try options.finish()
    }

    private mutating func readService(_ options: inout L2Options) throws(L2ConfigurationError) {
        self.workers = try options.integer("s3_num_io_threads", in: 1...1024) ?? 64
        self.prefersHTTP2 = try options.bool("s3_prefer_http2") ?? true
        if try options.bool("s3_enable_s3express") ?? false {
            throw options.refusal("s3_enable_s3express", .bool(true), "false: S3 Express is not supported")
        }
        self.capacityBytes = try options.gigabytes("max_capacity_gb").flatMap { $0 > 0 ? $0 : nil }
        var prefix = try options.string("s3_prefix") ?? ""
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard !prefix.hasPrefix("/"), !prefix.utf8.contains(0), !prefix.utf8.contains(UInt8(ascii: "@")) else {
            throw options.refusal("s3_prefix", .string(prefix), "a path without a leading '/' and without '@'")
        }
        self.prefix = prefix
        self.requestMilliseconds = try Self.seconds("request_timeout", &options) ?? self.requestMilliseconds
        self.connectMilliseconds = try Self.seconds("connection_timeout", &options) ?? self.connectMilliseconds
        self.authorityFile = try options.string("tls_ca_file")
        self.verifiesServer = try options.bool("tls_verify") ?? true
        self.usesChecksums = try options.bool("checksums") ?? true
        self.partBytes = try Self.mebibytes("s3_part_size_mb", 5...5120, &options) ?? self.partBytes
        // What is sent whole is sent in one request, which services limit to 5 GiB.
        self.partedBytes = try Self.mebibytes("s3_multipart_threshold_mb", 5...5120, &options) ?? self.partedBytes
    }

    private static func mebibytes(
        _ name: String, _ range: ClosedRange<Int>, _ options: inout L2Options
    ) throws(L2ConfigurationError) -> Int? {
        try options.integer(name, in: range).map { $0 << 20 }
    }

    private mutating func readCredentials(_ options: inout L2Options) throws(L2ConfigurationError) {
        self.accessKey = try options.string("aws_access_key_id")
        self.secretKey = try options.string("aws_secret_access_key")
        self.sessionToken = try options.string("aws_session_token")
        if (self.accessKey ?? "").isEmpty != (self.secretKey ?? "").isEmpty {
            throw L2ConfigurationError(
                "\(options.context): 'aws_access_key_id' and 'aws_secret_access_key' need each other")
        }
    }

    /// Splits `s3://host`, `host`, `http://host` or `https://host`.
    private static func endpoint(
        _ given: String, isPlain: Bool, _ options: L2Options
    ) throws(L2ConfigurationError) -> (scheme: String, host: String) {
        var text = given
        var scheme = isPlain ? "http" : "https"
        if text.hasPrefix("s3://") {
            text.removeFirst(5)
        } else if text.hasPrefix("http://") {
            text.removeFirst(7)
            scheme = "http"
        } else if text.hasPrefix("https://"), !isPlain {
            text.removeFirst(8)
        }
        if text.hasSuffix("/") { text.removeLast() }
        guard !text.isEmpty, !text.hasSuffix(":"), text.utf8.allSatisfy(URLParts.isHostByte) else {
            throw options.refusal(
                "s3_endpoint", .string(given), "bucket.host, perhaps with s3:// or http:// before and a port behind")
        }
        return (scheme, text)
    }

    private static func required(
        _ name: String, _ accepted: String, _ options: inout L2Options
    ) throws(L2ConfigurationError) -> String {
        guard let text = try options.string(name), !text.isEmpty else {
            throw L2ConfigurationError("\(options.context): '\(name)' is missing; accepted is \(accepted)")
        }
        return text
    }

    private static func seconds(_ name: String, _ options: inout L2Options) throws(L2ConfigurationError) -> Int? {
        try options.number(name, in: 0.001...86_400).map { Int($0 * 1000) }
    }
}
