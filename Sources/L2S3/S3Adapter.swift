// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import L2Storage

/// Makes the `s3` adapter.
package enum S3Adapter {
    /// The `type` values of the configuration.
    package static let types = [S3Configuration.type]
    /// The environment variables that matter.
    package static let variables = [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
        "HOME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ]

    /// Reads the configuration and starts the threads. No connection is made and no credentials are asked for yet.
    ///
    /// - Parameter environment: Where credentials are looked for when the configuration has none.
    /// - Throws: Names the key, what was given and what is accepted; or says that this machine has no libcurl.
    package static func make(
        configuration: L2AdapterConfiguration, environment: [String: String], clock: any L2Clock = MonotonicL2Clock(),
        log: L2Log = .none
    ) throws(L2ConfigurationError) -> ThreadedL2Adapter {
        try Self.start(try S3Configuration(configuration), environment: environment, clock: clock, log: log)
    }

    /// Starts the threads.
    ///
    /// - Throws: Where this machine has no libcurl.
    package static func start(
        _ configuration: S3Configuration, environment: [String: String], clock: any L2Clock = MonotonicL2Clock(),
        log: L2Log = .none
    ) throws(L2ConfigurationError) -> ThreadedL2Adapter {
        ThreadedL2Adapter(
            kind: S3Configuration.type,
            medium: try Self.medium(configuration, environment: environment, clock: clock, log: log),
            limits: L2Limits(workers: configuration.workers), clock: clock)
    }

    /// The medium by itself, for what no adapter offers.
    package static func medium(
        _ configuration: S3Configuration, environment: [String: String], clock: any L2Clock = MonotonicL2Clock(),
        log: L2Log = .none
    ) throws(L2ConfigurationError) -> S3Medium {
        var settings = CurlClient.Settings()
        settings.authorityFile = configuration.authorityFile
        settings.verifiesServer = configuration.verifiesServer
        settings.prefersHTTP2 = configuration.prefersHTTP2
        let client: CurlClient
        do throws(CurlMissing) {
            client = try CurlClient(settings)
        } catch {
            throw L2ConfigurationError("--l2-adapter s3: \(error)")
        }
        let service = S3Service(
            configuration, client: client,
            credentials: CredentialsChain(
                Self.sources(configuration, environment, client: client)),
            clock: clock, log: log, random: { UInt64.random(in: 0 ... .max) })
        return S3Medium(configuration, service: service, clock: clock)
    }

    /// Where credentials are looked for, in the order of the AWS tools.
    static func sources(
        _ configuration: S3Configuration, _ environment: [String: String], client: any HTTPClient
    ) -> [any CredentialsSource] {
        let near = CredentialsServer(client: client, timeout: HTTPTimeout(connect: 1000, whole: 2000))
        let far = CredentialsServer(client: client, timeout: HTTPTimeout(connect: 5000, whole: 10_000))
        let read = { @Sendable (path: String) in SmallFile.content(path) }
        return [
            GivenCredentials.configured(
                accessKey: configuration.accessKey, secretKey: configuration.secretKey,
                sessionToken: configuration.sessionToken),
            GivenCredentials.environment(environment),
            WebIdentityCredentials(
                environment: environment, region: configuration.region, read: read, server: far),
            SharedCredentialsFile(environment, read: read),
            ContainerCredentials(environment: environment, read: read, server: near),
            InstanceCredentials(environment: environment, server: near),
        ]
    }
}

/// Files of credentials and tokens.
enum SmallFile {
    private static let limit = 1 << 20

    /// The content, or nil where it cannot be read or is longer than such files are.
    static func content(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var content: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while content.count <= Self.limit {
            let count = read(file, &part, part.count)
            if count == 0 { return content }
            guard count > 0 else { return nil }
            content += part[..<count]
        }
        return nil
    }
}
