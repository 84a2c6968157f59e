// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import Telemetry

/// What sources that ask servers have in common.
struct CredentialsServer: Sendable {
    let client: any HTTPClient
    let timeout: HTTPTimeout

    /// The body of a reply with status 200.
    func body(of request: HTTPRequest) throws(CredentialsMissing) -> [UInt8] {
        switch self.client.perform(request, timeout: self.timeout) {
        case .reply(let reply) where reply.status == 200: return reply.body
        case .reply(let reply): throw CredentialsMissing("\(request.origin) answers with status \(reply.status)")
        case .failed(_, let words): throw CredentialsMissing("\(request.origin): \(words)")
        case .wrongLength: throw CredentialsMissing("\(request.origin) answers with something else")
        case .impossible(let why): throw CredentialsMissing(why)
        }
    }

    /// Credentials as containers and machines get them: JSON with `AccessKeyId` and so on.
    func credentials(of request: HTTPRequest) throws(CredentialsMissing) -> S3Credentials {
        let bytes = try self.body(of: request)
        guard let value = try? JSONParser.parse(bytes),  // what it says instead is of no use
            case .string(let key) = value["AccessKeyId"], case .string(let secret) = value["SecretAccessKey"],
            let found = S3Credentials(
                accessKey: key, secretKey: secret, sessionToken: value["Token"]?.text,
                expiry: value["Expiration"]?.text.flatMap { CivilTime($0) })
        else { throw CredentialsMissing("\(request.origin) answers with something else than credentials") }
        return found
    }
}

/// A container's own service, as ECS and EKS have it.
struct ContainerCredentials: CredentialsSource {
    let name = "the container's service"
    let environment: [String: String]
    let read: @Sendable (String) -> [UInt8]?
    let server: CredentialsServer

    func credentials() throws(CredentialsMissing) -> S3Credentials? {
        var request: HTTPRequest
        if let path = self.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], path.hasPrefix("/") {
            request = HTTPRequest(method: "GET", origin: "http://169.254.170.2", path: path)
        } else if let url = self.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], !url.isEmpty {
            guard let parts = URLParts(url) else {
                throw CredentialsMissing("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL")
            }
            request = HTTPRequest(method: "GET", origin: parts.origin, path: parts.path, query: parts.query)
        } else {
            return nil
        }
        request.isLocal = true
        var token = self.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        if let file = self.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], let bytes = self.read(file) {
            token = String(String(decoding: bytes, as: UTF8.self)[...].trimmingSpace)
        }
        if let token, token.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) { request.headers.append(("authorization", token)) }
        return try self.server.credentials(of: request)
    }
}

/// The service of the machine that this runs on, version 2.
struct InstanceCredentials: CredentialsSource {
    let name = "the machine's service"
    let environment: [String: String]
    let server: CredentialsServer

    func credentials() throws(CredentialsMissing) -> S3Credentials? {
        if self.environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        let given = self.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"].flatMap { URLParts($0)?.origin }
        let origin = given ?? "http://169.254.169.254"
        let token = try self.text(
            HTTPRequest(
                method: "PUT", origin: origin, path: "/latest/api/token",
                headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]))
        let path = "/latest/meta-data/iam/security-credentials/"
        var request = HTTPRequest(
            method: "GET", origin: origin, path: path, headers: [("x-aws-ec2-metadata-token", token)])
        let role = try self.text(request)
        request.path = path + PercentEncoding.encoded(role)
        request.isLocal = true
        return try self.server.credentials(of: request)
    }

    /// A reply's first line.
    private func text(_ request: HTTPRequest) throws(CredentialsMissing) -> String {
        var request = request
        request.isLocal = true
        let body = String(decoding: try self.server.body(of: request), as: UTF8.self)
        let line = body.split(whereSeparator: \.isNewline).first?.trimmingSpace ?? ""
        guard !line.isEmpty, line.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw CredentialsMissing("\(request.origin) answers with nothing")
        }
        return String(line)
    }
}

/// A role that a token file opens, as Kubernetes has it.
struct WebIdentityCredentials: CredentialsSource {
    let name = "AWS_WEB_IDENTITY_TOKEN_FILE"
    let environment: [String: String]
    let region: String
    let read: @Sendable (String) -> [UInt8]?
    let server: CredentialsServer

    func credentials() throws(CredentialsMissing) -> S3Credentials? {
        guard let file = self.environment["AWS_WEB_IDENTITY_TOKEN_FILE"], !file.isEmpty,
            let role = self.environment["AWS_ROLE_ARN"], !role.isEmpty
        else { return nil }
        guard let bytes = self.read(file) else { throw CredentialsMissing("\(file) cannot be read") }
        let token = String(String(decoding: bytes, as: UTF8.self)[...].trimmingSpace)
        let session = self.environment["AWS_ROLE_SESSION_NAME"].flatMap { $0.isEmpty ? nil : $0 } ?? "lmcache"
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", session), ("WebIdentityToken", token),
        ]
        let given = self.environment["AWS_ENDPOINT_URL_STS"].flatMap { URLParts($0)?.origin }
        let query = form.map { "\($0.0)=\(PercentEncoding.encoded($0.1))" }.joined(separator: "&")
        let request = HTTPRequest(
            method: "POST", origin: given ?? "https://sts.\(self.region).amazonaws.com", path: "/",
            headers: [("content-type", "application/x-www-form-urlencoded")], body: .bytes(Array(query.utf8)))
        let reply = XMLText(try self.server.body(of: request))
        guard let block = reply.first("Credentials"), let key = block.first("AccessKeyId")?.text,
            let secret = block.first("SecretAccessKey")?.text,
            let found = S3Credentials(
                accessKey: key, secretKey: secret, sessionToken: block.first("SessionToken")?.text,
                expiry: (block.first("Expiration")?.text).flatMap { CivilTime($0) })
        else { throw CredentialsMissing("\(request.origin) answers with something else than credentials") }
        return found
    }
}

extension JSONValue {
    fileprivate var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}
