// lmcache · SPDX-License-Identifier: Apache-2.0

import CAllocationCounter
import KVModel
import Testing

/// Names computed by LMCache 0.5.6 itself, and by the reference libraries for other lengths.
@Suite struct ChunkHasherTests {
    struct Golden: Sendable, CustomTestStringConvertible {
        var algorithm = HashAlgorithm.blake3
        var seed: String?
        let chunkSize: Int
        let tokens: [UInt32]
        let names: [String]
        var testDescription: String { "\(self.algorithm), chunk size \(self.chunkSize), \(self.tokens.count) tokens" }
    }

    static let first = "a2981a4d792b45f791d784bfd025148836ce3032f546cc490ef9fb7db9e639de"
    static let second = "f76a7280af54e664fff4e1239c4a72936fedc49ba027e3a969a314ae980dbfd5"
    static let third = "52cde0b920e22a78324ccefea623c5707678d56033320a60ba85eb2d7e13532e"

    static let fromLMCache = [
        Golden(chunkSize: 4, tokens: Array(0..<3), names: []),
        Golden(chunkSize: 4, tokens: Array(0..<4), names: [first]),
        Golden(chunkSize: 4, tokens: Array(0..<8), names: [first, second]),
        Golden(chunkSize: 4, tokens: Array(0..<15), names: [first, second, third]),
        Golden(
            chunkSize: 16,
            tokens: Array(0..<64),
            names: [
                "32748aa00c5090e4f0e1f149078a07381f4f618d898c1cbac17e36521c3de48f",
                "b41527751e5bac5a664450d89585d03c64c3985924969dfb1808b151dd214695",
                "320e30afd39a7564af8275d2395baf6b3011f85f8659a7bc75725adb4be6a072",
                "e30951bdba46dfa24f01f3dad60b5261251a467610bae5662acdeca8db0b05c3",
            ]
        ),
        Golden(
            chunkSize: 256,
            tokens: Array(0..<1024),
            names: [
                "084547b6c40ed5b05ba8cd0305db5bf74d5617673948d9ed193ab7d6cbc484d4",
                "e5ffee45c2b9db326814c9692dc594369887ba3b0df5761817820b60f864c8e0",
                "4d63c63139bfd6f32e22b9a3356d2aab5bcc52694fad77206308b1f5c0d58898",
                "a0ec7dfe7261a56bb12a7f16528d1cd3a2cb960b9aafd140865ab5b7bcf4c291",
            ]
        ),
        Golden(
            chunkSize: 4,
            tokens: [2_147_483_647, 4_294_967_295, 0, 1],
            names: ["8e683f4f7213ee068a4616dec560e415defb5aaefcf30f446e7695974330bbe8"]
        ),
        Golden(
            algorithm: .sha256CBOR,
            chunkSize: 4,
            tokens: Array(0..<8),
            names: [
                "c49ab11fb576db6f376aef58c24f728a0ba1807e8cac5f940f1a5c4c20741898",
                "9d0a7c928c548f9aeea31ae98471cf515045a206851732ac14cb3083c18d40f9",
            ]
        ),
        Golden(
            algorithm: .sha256CBOR,
            seed: "0",
            chunkSize: 4,
            tokens: Array(0..<8),
            names: [
                "8d4c7c828f1611f485f1ebfc2b19f0fe1c90d0a71d00cd90948a1fa5e8c9e91f",
                "ed6fa5d37a067707ede9aff44aa2819ab639263ca4ca66e8d36d02ffac952d33",
            ]
        ),
    ]

    /// Values on both sides of every step in the length of a CBOR number.
    static let cborSteps: [UInt32] = [
        0, 1, 23, 24, 25, 255, 256, 257, 65535, 65536, 65537, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
    ]

    static let fromCBORLibrary = [
        Golden(
            algorithm: .sha256CBOR,
            chunkSize: 14,
            tokens: cborSteps,
            names: ["2a292c8a3c891961968756d972a5def06d3bf1bb971fb5210f17e468580e06d5"]
        ),
        Golden(
            algorithm: .sha256CBOR,
            seed: "0",
            chunkSize: 14,
            tokens: cborSteps,
            names: ["5a40678d1c8c943c4e0f8051610731566c84590f853160cb6e4c2bc79299082e"]
        ),
        Golden(
            algorithm: .sha256CBOR,
            chunkSize: 300,
            tokens: Array(0..<300),
            names: ["d7ab9edba6bc3b3e1b0ed93351a4ab55480954fad9dd9381e5cda18bd1a823b2"]
        ),
    ]

    /// Chunk size, name of the third chunk: inputs of less than, exactly and more than 1, 2, 3, 4 … leaves of BLAKE3.
    static let fromBLAKE3Library: [(Int, String)] = [
        (1, "c808e6a389fb96e796d31c5edb77b8affae1670f30d0902c6cac51b910c1a0ec"),
        (2, "a6b499d232a5e08b4a9d783a39810e6f3bc5e8a2f995f0d4f6a953bb7c174438"),
        (7, "389365792491ff15c4245af8380c3f6b973d26e1fa86d9b936c941434e2c36a8"),
        (8, "13b1621d611aa46820a912319385a316025c7afb0d88df256a5d27c6ff6a157f"),
        (248, "afd8b214a7abc9d58c3a7ee541d3e32ce06ce48c14df35146b5b9560769f7e1a"),
        (249, "fc772bf4b44aef7984f0d2ee53bcdb004c34282380b10a677a48d60ad18d5e18"),
        (256, "729020d96d115cdd3b30f01d27a9e35c6cb4634c314017b7ca8f05103fd31236"),
        (504, "01b903db10d969528b9e40cd14d5ae0e4e0919a76aecf1b7f3d45d0fd330a376"),
        (505, "1b7ca34a6751dd6976574c65ff6786fb296a2927bc050f839e4e05fd719dbd8c"),
        (760, "ae733ad5f9c6c669cfb0c4ddb22f57ea323dd9579b15e0359ad63b12acbf4723"),
        (1000, "f872ecab34bfd9b4c9835ebbf3790fbd7e609d6a887d423380bbd59854e71c4e"),
        (1024, "1ac051a98d3f1ea96035ebe67851cc54694e4f9e68d960e16cfc7fc3d175499c"),
        (2048, "53fe2e70333e7a30831f542efeb21532490b77788f8a6a616e6a3656835d8054"),
        (4096, "a4d43ad0bdba41a566167485450b6ddb105e969f94dfcba02e0f32fba7501f61"),
    ]

    @Test(arguments: fromLMCache + fromCBORLibrary)
    func namesAreThoseOfTheReference(_ golden: Golden) {
        let hasher = ChunkHasher(algorithm: golden.algorithm, chunkSize: golden.chunkSize, seed: golden.seed)
        var hashes: [ChunkHash] = []
        hasher.extend(&hashes, over: golden.tokens)
        #expect(hashes.map(\.description) == golden.names)
    }

    @Test(arguments: fromBLAKE3Library)
    func everyTreeShapeIsThatOfTheReference(_ chunkSize: Int, _ name: String) {
        let hasher = ChunkHasher(algorithm: .blake3, chunkSize: chunkSize, seed: nil)
        var hashes: [ChunkHash] = []
        hasher.extend(
            &hashes,
            over: (0..<3 * chunkSize).map { UInt32(truncatingIfNeeded: $0) &* 2_654_435_761 &+ 12345 }
        )
        #expect(hashes.map(\.description).last == name)
        #expect(hashes.count == 3)
    }

    @Test func rootsAreThoseOfTheReference() {
        let root = { ChunkHasher(algorithm: $0, chunkSize: 4, seed: $1).root.description }
        #expect(root(.blake3, nil) == "7e3eff9ef7613a50340eb12677ee03b83ac759fcba9bb32705f07248d56d473b")
        #expect(root(.blake3, "ignored") == root(.blake3, nil))
        #expect(root(.sha256CBOR, nil) == "9bd96a485ad84efdafb72ee48a1d7a69bcead0f8f0433173941b276b9581eef0")
        #expect(root(.sha256CBOR, "0") == "4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e")
    }

    @Test(arguments: HashAlgorithm.allCases)
    func continuingGivesTheSameAsStartingOver(_ algorithm: HashAlgorithm) {
        let hasher = ChunkHasher(algorithm: algorithm, chunkSize: 5, seed: nil)
        let tokens = (0..<53).map { UInt32($0 * $0) }
        var whole: [ChunkHash] = []
        hasher.extend(&whole, over: tokens)
        #expect(whole.count == 10)
        for cut in 0...whole.count {
            var hashes = Array(whole[..<cut])
            hasher.extend(&hashes, over: tokens)
            #expect(hashes == whole)
        }
        var longer = whole + [whole[0]]
        hasher.extend(&longer, over: tokens)
        #expect(longer == whole + [whole[0]], "more names than chunks are left alone")
    }

    @Test func aChangedTokenChangesItsChunkAndAllLaterOnes() {
        let hasher = ChunkHasher(algorithm: .blake3, chunkSize: 4, seed: nil)
        var tokens: [UInt32] = Array(0..<16)
        var before: [ChunkHash] = []
        hasher.extend(&before, over: tokens)
        tokens[9] = 1
        var after: [ChunkHash] = []
        hasher.extend(&after, over: tokens)
        #expect(zip(before, after).map { $0 == $1 } == [true, true, false, false])
    }

    @Test(.enabled(if: lmc_allocations_are_counted() == 1), arguments: HashAlgorithm.allCases, [1, 16, 128])
    func hashingAllocatesOnceWhateverTheLength(_ algorithm: HashAlgorithm, _ chunkCount: Int) {
        let hasher = ChunkHasher(algorithm: algorithm, chunkSize: 256, seed: nil)
        let tokens = [UInt32](repeating: 7, count: 256 * chunkCount)
        var warmUp: [ChunkHash] = []
        hasher.extend(&warmUp, over: tokens)  // what the runtime sets up on first use is not counted
        var hashes: [ChunkHash] = []
        let before = lmc_allocation_count()
        hasher.extend(&hashes, over: tokens)
        #expect(lmc_allocation_count() - before <= 1)
        #expect(hashes.count == chunkCount)
    }

    @Test func algorithmsAreSpelledAsOnTheCommandLine() {
        #expect(HashAlgorithm.allCases.map(\.rawValue) == ["blake3", "sha256_cbor"])
    }
}
