// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel
internal import L2Storage

/// Names of a bucket's objects and requests for them.
struct S3Bucket: Sendable {
    let configuration: S3Configuration
    let service: S3Service

    /// The header that carries an object's CRC-32C, in eight hexadecimal digits.
    static let checksumHeader = "x-amz-meta-lmcache-crc32c"

    func send(_ request: HTTPRequest, _ deadline: L2Instant?) -> S3Service.Answer {
        self.service.send(request, deadline: deadline)
    }

    func request(_ method: String, _ key: ObjectKey, query: [(String, String)] = []) -> HTTPRequest {
        self.request(method, name: self.name(key), query: query)
    }

    /// - Parameter name: The object's, or nil for the bucket itself.
    func request(_ method: String, name: String?, query: [(String, String)] = []) -> HTTPRequest {
        let bucket = self.configuration.bucketPath
        let path = name.map { bucket + "/" + PercentEncoding.encoded($0, keeping: "/") }
        var request = HTTPRequest(
            method: method, origin: self.configuration.origin, path: path ?? (bucket.isEmpty ? "/" : bucket))
        request.query = query.map { $0.1.isEmpty ? $0.0 : "\($0.0)=\(PercentEncoding.encoded($0.1))" }
            .joined(separator: "&")
        return request
    }

    /// What an object is stored with beside its bytes.
    func headers(for buffer: L2Buffer) -> [(name: String, value: String)] {
        var headers = [(name: "content-type", value: "application/octet-stream")]
        if self.configuration.usesChecksums { headers.append((Self.checksumHeader, L2Checksum.text(of: buffer))) }
        return headers
    }

    /// Whether loaded bytes have the checksum that was stored with them, if there is one.
    func isSound(_ stored: String?, _ found: @autoclosure () -> UInt32?) -> Bool {
        guard self.configuration.usesChecksums, let stored, let found = found() else { return true }
        return L2Checksum.text(found) == stored.lowercased()
    }

    func name(_ key: ObjectKey) -> String { self.configuration.namePrefix + S3KeyName.spelled(key) }

    func key(_ name: String) -> ObjectKey? {
        guard name.hasPrefix(self.configuration.namePrefix) else { return nil }
        return S3KeyName.parsed(String(name.dropFirst(self.configuration.namePrefix.count)))
    }
}

extension S3Configuration {
    /// What stands before every object's name.
    var namePrefix: String { self.prefix.isEmpty ? "" : self.prefix + "/" }
}
