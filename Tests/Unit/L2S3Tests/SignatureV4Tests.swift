// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import L2S3

/// The examples of the S3 reference, "Authenticating Requests: Using the Authorization Header".
@Suite struct SignatureV4Tests {
    private static let moment = CivilTime("2013-05-24T00:00:00Z")

    private static func signature(_ request: HTTPRequest, bodyHash: String? = nil, token: String? = nil) throws
        -> String
    {
        let credentials = try #require(
            S3Credentials(
                accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                sessionToken: token))
        var signer = SignatureV4(credentials: credentials, region: "us-east-1")
        signer.bodyHash = bodyHash ?? "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let signed = signer.signed(request, at: try #require(Self.moment))
        return try #require(signed.headers.last { $0.name == "authorization" }?.value)
    }

    private static func request(_ method: String, _ path: String, _ query: String = "") -> HTTPRequest {
        HTTPRequest(method: method, origin: "https://examplebucket.s3.amazonaws.com", path: path, query: query)
    }

    @Test func theExampleThatGetsAnObject() throws {
        var request = Self.request("GET", "/test.txt")
        request.headers = [("range", "bytes=0-9")]
        #expect(
            try Self.signature(request)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func theExampleThatPutsAnObject() throws {
        var request = Self.request("PUT", "/test%24file.text")
        request.headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
        let hash = Digest.hexadecimal(Digest.sha256(Array("Welcome to Amazon S3.".utf8)))
        #expect(
            try Self.signature(request, bodyHash: hash)
                .hasSuffix("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
    }

    @Test func theExamplesWithQueries() throws {
        #expect(
            try Self.signature(Self.request("GET", "/", "lifecycle"))
                .hasSuffix("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
        #expect(
            try Self.signature(Self.request("GET", "/", "prefix=J&max-keys=2"))
                .hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test func aSessionTokenIsSignedToo() throws {
        #expect(try Self.signature(Self.request("GET", "/"), token: "T").contains("x-amz-date;x-amz-security-token,"))
    }

    @Test func hmacIsThatOfItsStandard() {
        // RFC 4231, cases 2 and 6.
        #expect(
            Digest.hexadecimal(HMAC.sha256(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            Digest.hexadecimal(
                HMAC.sha256(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                    key: Array(repeating: 0xAA, count: 131)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test func timesAreReadAndWritten() throws {
        let moment = try #require(CivilTime("2024-02-29T23:59:07Z"))
        #expect(moment.compact == "20240229T235907Z")
        #expect(moment.compactDay == "20240229")
        #expect(CivilTime("2024-02-29T23:59:07.123Z") == moment)
        #expect(CivilTime(seconds: 0).compact == "19700101T000000Z")
        for text in ["", "2024-02-29", "2024-13-01T00:00:00Z", "2024-02-29T23:59:07+01:00", "xxxx-02-29T23:59:07Z"] {
            #expect(CivilTime(text) == nil)
        }
    }
}
