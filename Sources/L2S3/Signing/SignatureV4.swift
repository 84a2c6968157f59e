// lmcache · SPDX-License-Identifier: Apache-2.0

/// Signs requests as Amazon's services ask.
///
/// Source: AWS Signature Version 4, "Authenticating Requests (Authorization Header)" of the S3 reference. Our own and
/// not curl's: before 7.87 that one left out every header but two, which S3 refuses.
struct SignatureV4: Sendable {
    var credentials: S3Credentials
    var region: String
    var service = "s3"
    /// What stands for the body's hash: the channel protects it, and our own checksum.
    var bodyHash = "UNSIGNED-PAYLOAD"

    /// Adds the headers that authenticate the request. All its headers are signed.
    func signed(_ request: HTTPRequest, at time: CivilTime) -> HTTPRequest {
        var request = request
        request.headers.append(("host", Self.host(request.origin)))
        request.headers.append(("x-amz-date", time.compact))
        request.headers.append(("x-amz-content-sha256", self.bodyHash))
        if let token = self.credentials.sessionToken { request.headers.append(("x-amz-security-token", token)) }
        let scope = "\(time.compactDay)/\(self.region)/\(self.service)/aws4_request"
        let (canonical, names) = self.canonical(request)
        let text = ["AWS4-HMAC-SHA256", time.compact, scope, Digest.hexadecimal(Digest.sha256(Array(canonical.utf8)))]
        let signature = HMAC.sha256(Array(text.joined(separator: "\n").utf8), key: self.key(time.compactDay))
        request.headers.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(self.credentials.accessKey)/\(scope), SignedHeaders=\(names), "
                    + "Signature=\(Digest.hexadecimal(signature))"
            ))
        return request
    }

    private func key(_ day: String) -> [UInt8] {
        [day, self.region, self.service, "aws4_request"].reduce(Array("AWS4\(self.credentials.secretKey)".utf8)) {
            HMAC.sha256(Array($1.utf8), key: $0)
        }
    }

    /// The text that is signed for the request, and the names of its headers.
    func canonical(_ request: HTTPRequest) -> (text: String, names: String) {
        let headers = request.headers.sorted { $0.name < $1.name }
        let names = headers.map(\.name).joined(separator: ";")
        let lines = headers.map { "\($0.name):\($0.value)\n" }.joined()
        let query = request.query.split(separator: "&").map { $0.contains("=") ? String($0) : $0 + "=" }.sorted()
        let parts = [request.method, request.path, query.joined(separator: "&"), lines, names, self.bodyHash]
        return (parts.joined(separator: "\n"), names)
    }

    static func host(_ origin: String) -> String {
        guard let slashes = origin.firstRange(of: "://") else { return origin }
        return String(origin[slashes.upperBound...])
    }
}
