// lmcache · SPDX-License-Identifier: Apache-2.0

/// What signs requests.
struct S3Credentials: Equatable, Sendable {
    let accessKey: String
    let secretKey: String
    let sessionToken: String?
    /// When they stop working; nil for never.
    let expiry: CivilTime?

    /// Nil for a key that is empty, or that would break out of a header line.
    init?(accessKey: String, secretKey: String, sessionToken: String? = nil, expiry: CivilTime? = nil) {
        let token = sessionToken.flatMap { $0.isEmpty ? nil : $0 }
        guard !accessKey.isEmpty, !secretKey.isEmpty,
            (accessKey + (token ?? "")).utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else { return nil }
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = token
        self.expiry = expiry
    }
}

/// Why there are no credentials.
struct CredentialsMissing: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
