// lmcache · SPDX-License-Identifier: Apache-2.0

/// One place that may have credentials.
protocol CredentialsSource: Sendable {
    /// A few words for messages.
    var name: String { get }

    /// The credentials, or nil where this place is not set up. May ask a server.
    ///
    /// - Throws: Where the place is set up and does not give any.
    func credentials() throws(CredentialsMissing) -> S3Credentials?
}

/// Credentials given as they are.
struct GivenCredentials: CredentialsSource {
    let name: String
    let accessKey: String?
    let secretKey: String?
    let sessionToken: String?

    /// Those of the adapter's own configuration.
    static func configured(accessKey: String?, secretKey: String?, sessionToken: String?) -> GivenCredentials {
        GivenCredentials(
            name: "the configuration", accessKey: accessKey, secretKey: secretKey, sessionToken: sessionToken)
    }

    /// Those of `AWS_ACCESS_KEY_ID` and its like.
    static func environment(_ environment: [String: String]) -> GivenCredentials {
        GivenCredentials(
            name: "AWS_ACCESS_KEY_ID", accessKey: environment["AWS_ACCESS_KEY_ID"],
            secretKey: environment["AWS_SECRET_ACCESS_KEY"], sessionToken: environment["AWS_SESSION_TOKEN"])
    }

    func credentials() throws(CredentialsMissing) -> S3Credentials? {
        let (key, secret) = (self.accessKey ?? "", self.secretKey ?? "")
        if key.isEmpty, secret.isEmpty { return nil }
        guard let found = S3Credentials(accessKey: key, secretKey: secret, sessionToken: self.sessionToken) else {
            throw CredentialsMissing("an access key needs its secret, and no spaces")
        }
        return found
    }
}

/// A profile of the file that the AWS tools share.
struct SharedCredentialsFile: CredentialsSource {
    let path: String?
    let profile: String
    let read: @Sendable (String) -> [UInt8]?

    /// `AWS_SHARED_CREDENTIALS_FILE`, or `.aws/credentials` at home; `AWS_PROFILE`, or `default`.
    init(_ environment: [String: String], read: @escaping @Sendable (String) -> [UInt8]?) {
        let named = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? ""
        let home = environment["HOME"].map { $0 + "/.aws/credentials" }
        self.path = named.isEmpty ? home : named
        self.profile = environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 } ?? "default"
        self.read = read
    }

    var name: String { "profile '\(self.profile)' of \(self.path ?? "no file")" }

    func credentials() throws(CredentialsMissing) -> S3Credentials? {
        guard let path = self.path, let bytes = self.read(path) else { return nil }
        let values = Self.section(self.profile, of: String(decoding: bytes, as: UTF8.self))
        guard let key = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        guard let found = S3Credentials(accessKey: key, secretKey: secret, sessionToken: values["aws_session_token"])
        else { throw CredentialsMissing("an access key needs its secret, and no spaces") }
        return found
    }

    /// The values of one section, names in lower case.
    static func section(_ wanted: String, of text: String) -> [String: String] {
        var values: [String: String] = [:]
        var isInside = false
        for raw in text.split(whereSeparator: \.isNewline) {
            let line = raw.trimmingSpace
            if line.hasPrefix("["), line.hasSuffix("]") {
                isInside = line.dropFirst().dropLast().trimmingSpace == wanted
            } else if isInside, !line.hasPrefix("#"), !line.hasPrefix(";"), let equals = line.firstIndex(of: "=") {
                let value = line[line.index(after: equals)...].trimmingSpace
                values[line[..<equals].trimmingSpace.lowercased()] = String(value)
            }
        }
        return values
    }
}

extension Substring {
    var trimmingSpace: Substring {
        var text = self.drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}
