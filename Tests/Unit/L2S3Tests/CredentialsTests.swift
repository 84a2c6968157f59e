// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import L2S3

@Suite struct CredentialsTests {
    private static var refusing: ScriptedClient { ScriptedClient { _, _ in .failed(code: 7, words: "refused") } }

    private static func chain(
        _ environment: [String: String], files: [String: String] = [:], client: ScriptedClient = Self.refusing,
        configuration: S3Configuration = S3Configuration(origin: "http://h", region: "eu-west-1")
    ) -> CredentialsChain {
        let server = CredentialsServer(client: client, timeout: HTTPTimeout(connect: 1, whole: 1))
        let read = { @Sendable (path: String) in files[path].map { Array($0.utf8) } }
        return CredentialsChain([
            GivenCredentials.configured(
                accessKey: configuration.accessKey, secretKey: configuration.secretKey,
                sessionToken: configuration.sessionToken),
            GivenCredentials.environment(environment),
            WebIdentityCredentials(
                environment: environment, region: configuration.region, read: read, server: server),
            SharedCredentialsFile(environment, read: read),
            ContainerCredentials(environment: environment, read: read, server: server),
            InstanceCredentials(environment: environment, server: server),
        ])
    }

    private static func key(of chain: CredentialsChain) -> String? {
        try? chain.current().accessKey  // nil is what a test expects where there are none
    }

    private static let json =
        #"{"AccessKeyId": "J", "SecretAccessKey": "S", "Token": "T", "Expiration": "2100-01-01T00:00:00Z"}"#

    @Test func theConfigurationComesBeforeTheEnvironmentAndThatBeforeAFile() throws {
        let files = ["/nowhere/.aws/credentials": "[default]\naws_access_key_id = F\naws_secret_access_key=f\n"]
        var environment = ["HOME": "/nowhere"]
        let client = Self.refusing
        #expect(try Self.chain(environment, files: files, client: client).current().accessKey == "F")
        environment["AWS_ACCESS_KEY_ID"] = "E"
        environment["AWS_SECRET_ACCESS_KEY"] = "e"
        environment["AWS_SESSION_TOKEN"] = "t"
        #expect(try Self.chain(environment, files: files).current().sessionToken == "t")
        var configuration = S3Configuration(origin: "http://h", region: "r")
        (configuration.accessKey, configuration.secretKey) = ("C", "c")
        #expect(try Self.chain(environment, files: files, configuration: configuration).current().accessKey == "C")
        #expect(client.sent.isEmpty)
    }

    @Test func profilesOfASharedFileAreReadByName() throws {
        let text = """
            # comment
            [default]
            aws_access_key_id = D
            aws_secret_access_key = d
            [ other ]
            AWS_ACCESS_KEY_ID=O
            ;aws_secret_access_key = no
            aws_secret_access_key = o=o
            aws_session_token = t
            """
        let environment = ["AWS_SHARED_CREDENTIALS_FILE": "/f", "AWS_PROFILE": "other"]
        let found = try Self.chain(environment, files: ["/f": text]).current()
        #expect(found == S3Credentials(accessKey: "O", secretKey: "o=o", sessionToken: "t"))
    }

    @Test func aWebIdentityIsExchangedForCredentials() throws {
        let client = ScriptedClient { _, _ in
            ScriptedClient.reply(
                200,
                "<R><Credentials><AccessKeyId>W</AccessKeyId><SecretAccessKey>w/+</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></R>"
            )
        }
        let environment = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"]
        let found = try Self.chain(environment, files: ["/token": "a.b\n"], client: client).current()
        #expect(found.accessKey == "W" && found.secretKey == "w/+" && found.sessionToken == "t")
        #expect(client.sent[0].origin == "https://sts.eu-west-1.amazonaws.com")
        guard case .bytes(let form) = client.sent[0].body else {
            Issue.record("no form")
            return
        }
        #expect(
            String(decoding: form, as: UTF8.self).hasSuffix(
                "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=lmcache&WebIdentityToken=a.b"))
    }

    @Test func aContainerAsksItsServiceWithItsToken() throws {
        let client = ScriptedClient { _, _ in ScriptedClient.reply(200, Self.json) }
        let relative = try Self.chain(["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"], client: client).current()
        #expect(relative.accessKey == "J")
        #expect(client.sent[0].url == "http://169.254.170.2/v2/x" && client.sent[0].isLocal)
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials?a=b",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t",
        ]
        _ = try Self.chain(environment, files: ["/t": "secret\n"], client: client).current()
        #expect(client.sent[1].url == "http://169.254.170.23/v1/credentials?a=b")
        #expect(client.sent[1].headers.first?.value == "secret")
    }

    @Test func aMachineGivesATokenThenARoleThenCredentials() throws {
        let client = ScriptedClient { number, _ in
            ScriptedClient.reply(200, ["token", "my role\nother", Self.json][number])
        }
        #expect(throws: CredentialsMissing.self) { try Self.chain([:], client: client).current() }
        let good = ScriptedClient { number, _ in ScriptedClient.reply(200, ["token", "role/1\n", Self.json][number]) }
        #expect(try Self.chain([:], client: good).current().accessKey == "J")
        #expect(good.sent.map(\.method) == ["PUT", "GET", "GET"])
        #expect(good.sent[2].url == "http://169.254.169.254/latest/meta-data/iam/security-credentials/role%2F1")
        #expect(good.sent[2].headers.first?.value == "token")
    }

    @Test func whereNobodyHasAnyEveryPlaceThatFailedIsNamed() {
        #expect(throws: CredentialsMissing("the machine's service: http://169.254.169.254: refused")) {
            try Self.chain([:]).current()
        }
        #expect(throws: CredentialsMissing.self) {
            try Self.chain(["AWS_EC2_METADATA_DISABLED": "true"]).current()
        }
        #expect(throws: CredentialsMissing.self) {
            try Self.chain(["AWS_ACCESS_KEY_ID": "a\r\nx-evil: 1", "AWS_SECRET_ACCESS_KEY": "b"]).current()
        }
    }

    @Test(arguments: ["", "{", "[]", "{}", #"{"AccessKeyId": 1}"#, #"{"AccessKeyId": "", "SecretAccessKey": ""}"#])
    func repliesThatAreNoCredentialsAreNone(_ body: String) {
        let client = ScriptedClient { _, _ in ScriptedClient.reply(200, body) }
        #expect(throws: CredentialsMissing.self) {
            try Self.chain(
                ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x", "AWS_EC2_METADATA_DISABLED": "true"], client: client
            )
            .current()
        }
    }

    @Test func credentialsAreRememberedRenewedBeforeTheyEndAndNotAskedForAgainRightAfterAFailure() throws {
        let now = Mutex(1000)
        let asked = Mutex(0)
        struct Source: CredentialsSource {
            let name = "a source"
            let give: @Sendable () -> S3Credentials?

            func credentials() throws(CredentialsMissing) -> S3Credentials? {
                guard let found = self.give() else { throw CredentialsMissing("down") }
                return found
            }
        }
        let fails = Mutex(false)
        let source = Source {
            let count = asked.withLock { count in
                count += 1
                return count
            }
            if fails.withLock({ $0 }) { return nil }
            let end = now.withLock { $0 } + 1000
            return S3Credentials(accessKey: "k\(count)", secretKey: "s", expiry: CivilTime(seconds: end))
        }
        let chain = CredentialsChain([source], now: { CivilTime(seconds: now.withLock { $0 }) })
        func key(at moment: Int) -> String? {
            now.withLock { $0 = moment }
            return Self.key(of: chain)
        }
        #expect(key(at: 1000) == "k1")
        #expect(key(at: 1699) == "k1")
        #expect(key(at: 1700) == "k2")
        fails.withLock { $0 = true }
        // The old ones still work; the source is asked again after a pause only.
        #expect(key(at: 2400) == "k2")
        #expect(key(at: 2405) == "k2")
        let asks = asked.withLock { $0 }
        #expect(asks == 3)
        #expect(key(at: 2701) == nil)
        fails.withLock { $0 = false }
        #expect(key(at: 2720) == "k5")
        chain.doubt()
        #expect(key(at: 2729) == "k5")
        #expect(key(at: 2730) == "k6")
    }
}
